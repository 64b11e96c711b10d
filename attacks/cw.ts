// The attack of Carlini and Wagner.
import { timesCost } from './loops/costs.ts';
import { beyondNoise, LOOKS_BEYOND_NOISE } from './loops/float-noise.ts';
import { meets, takeGoal } from './loops/goals.ts';
import { type Attempt, type Clean, type Problem, pixelsOf } from './loops/problem.ts';
import { askGradient } from './loops/query.ts';
import { ledger, type Outcome, searching } from './loops/search.ts';
import { cwMarginUpTo } from './losses.ts';
import { clip } from './norms/ball.ts';
import { norms } from './norms/index.ts';
import { cap, count, MODEL_OPTIONS, normAmong, notNegative, positive, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions, type ValuesOf } from './support/options.ts';
import type { Attack, Bounds } from './types.ts';

export const CW_OPTIONS = {
  /** What the attack is called in results; default `cw`. */
  name: title('cw'),
  /** `l2`, the only one. */
  norm: normAmong(['l2'], 'l2'),
  /** Examples further away count as none; null (default) for no such limit. */
  epsilon: cap,
  /** Steps of Adam for each constant; default 1000. */
  steps: count(1000),
  /** Constants tried, in a binary search; default 9. */
  searchSteps: count(9),
  /** The first constant c, above 0; default 0.001. */
  initialConstant: positive(1e-3),
  /** Adam's learning rate, in units of w; default 0.01. */
  learningRate: positive(0.01),
  /** The margin κ by which an example must be misclassified, in units of logits; default 0. */
  confidence: notNegative(0),
  ...MODEL_OPTIONS,
} as const satisfies OptionTable;

/** Options of `cw`. */
export type CwOptions = OptionsOf<typeof CW_OPTIONS>;

/**
 * The attack of Carlini and Wagner in l2 (2017, arXiv:1608.04644), a smallest perturbation: Adam on w,
 *
 *     min ‖x − x₀‖₂² + c · max(z_y − max_{j≠y} z_j, −κ),  x = (tanh(w) + 1) / 2
 *
 * and for a targeted goal max_{j≠t} z_j − z_t. The constant c is searched for every image: times 10 until there is an
 * example, then halfway between the largest without and the smallest with one. A run ends where its lowest cost has
 * not fallen over a tenth of its steps, at least 50.
 *
 * The nearest example is moved further from its image by up to a thousandth until its margin survives the rounding of another
 * runtime. An image that meets the goal already, or whose nearest example is not within epsilon, comes back unchanged. Nothing is
 * random, and both modes are the same. The constant weighs distance against logits, so unlike other attacks on the margin
 * it finds other examples when the logits are multiplied by a number: start from a constant that fits them.
 */
export function cw(options: CwOptions = {}): Attack {
  const { name, norm, ...search } = readOptions('cw', options, CW_OPTIONS);
  const { epsilon, steps, searchSteps, eot, bounds } = search;
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: () =>
      timesCost(eot, {
        forwardPasses: 1 + searchSteps * steps + LOOKS_BEYOND_NOISE,
        inputGradients: searchSteps * steps,
      }),
    perturb: searching({
      name,
      bounds,
      eot,
      smallest: true,
      attempts: () => 1,
      run: (problem, clean, attempted) => run(search, problem, clean, attempted),
    }),
  };
}

type Minimization = Omit<ValuesOf<typeof CW_OPTIONS>, 'name' | 'norm'>;

/** An image with what is known of its constant. */
interface Seeker extends Attempt {
  readonly origin: Float32Array;
  readonly first: Float32Array;
  constant: number;
  lower: number;
  upper: number;
  nearest: number;
  adversarial: Float32Array;
}

async function run(
  search: Minimization,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
): Promise<readonly Outcome[]> {
  const { bounds, epsilon, initialConstant, searchSteps } = search;
  const seekers = attempted.map((attempt): Seeker => {
    const origin = pixelsOf(problem.pixels, problem.shape, attempt.image);
    const first = problem.start ? pixelsOf(problem.start, problem.shape, attempt.image) : origin;
    return {
      ...attempt,
      origin,
      first: first.map((pixel) => clip(pixel, bounds)),
      constant: initialConstant,
      lower: 0,
      upper: Number.POSITIVE_INFINITY,
      nearest: Number.POSITIVE_INFINITY,
      adversarial: origin,
    };
  });
  for (let round = 0; round < searchSteps; round++) {
    const found = await minimize(search, problem, clean, seekers, round * search.steps);
    for (const seeker of seekers) {
      if (found.has(seeker)) seeker.upper = seeker.constant;
      else seeker.lower = seeker.constant;
      seeker.constant =
        seeker.upper === Number.POSITIVE_INFINITY ? 10 * seeker.constant : (seeker.lower + seeker.upper) / 2;
    }
  }
  const book = ledger(problem);
  const nearby = seekers.filter(({ nearest }) => Number.isFinite(nearest) && nearest <= (epsilon ?? Number.MAX_VALUE));
  const loss = cwMarginUpTo(search.confidence);
  const question = (asked: readonly Attempt[]) => ({
    loss,
    goal: takeGoal(
      problem.goal,
      asked.map(({ image }) => image),
    ),
  });
  const within = { distance: norms.l2.distance, epsilon, bounds };
  const examples = await beyondNoise(problem, clean, question, nearby, within);
  for (const [i, { image, restart, nearest }] of nearby.entries()) {
    book.settle({ image, restart, success: true, score: -nearest, adversarial: examples[i] });
  }
  return book.outcomes();
}

/** Adam's means of the gradient and its square, and the number that keeps it from dividing by 0. */
const [BETA1, BETA2, SMALL] = [0.9, 0.999, 1e-8];

/** Adam overshoots at first: fewer steps without progress say nothing. */
const LEAST_PATIENCE = 50;

/** Runs Adam for every image with its own constant; returns those for which there was an example. */
async function minimize(
  search: Minimization,
  problem: Problem,
  clean: Clean,
  seekers: readonly Seeker[],
  stepsBefore: number,
): Promise<ReadonlySet<Seeker>> {
  const { steps, learningRate, confidence, bounds } = search;
  const { goal } = problem;
  const loss = cwMarginUpTo(confidence);
  const found = new Set<Seeker>();
  const costs = { lowest: Number.POSITIVE_INFINITY, before: Number.POSITIVE_INFINITY };
  let rows = seekers.map((seeker) => ({
    ...descent(seeker, bounds),
    seeker,
    image: seeker.image,
    ...costs,
  }));
  const patience = Math.max(Math.floor(steps / 10), LEAST_PATIENCE);
  for (let step = 0; step < steps && rows.length > 0; step++) {
    const images = rows.map(({ image }) => image);
    const answers = await askGradient(problem, clean, { loss, goal: takeGoal(goal, images) }, rows);
    rows = rows.filter((row, i) => {
      const { seeker, pixels } = row;
      const { loss: margin, prediction, gradient } = answers[i];
      const away = norms.l2.distance(pixels, seeker.origin);
      // The margin is cut off at the confidence, so that is what it is at most.
      if (meets(goal.kind, goal.classes[row.image], prediction) && margin >= confidence) {
        found.add(seeker);
        if (away < seeker.nearest) {
          seeker.nearest = away;
          seeker.adversarial = Float32Array.from(pixels);
        }
      }
      row.lowest = Math.min(row.lowest, away ** 2 - seeker.constant * margin);
      if (step % patience === patience - 1) {
        // Costs may be negative.
        if (row.before - row.lowest < 1e-4 * Math.abs(row.lowest)) return false;
        row.before = row.lowest;
      }
      row.step(gradient, seeker.constant, learningRate, step + 1);
      return true;
    });
    // An image whose run ends early is attacked again with the next constant.
    problem.tell(stepsBefore + step + 1, search.searchSteps * search.steps, seekers);
  }
  return found;
}

/** An image as a function of w, and Adam's state. */
function descent({ origin, first }: Seeker, [low, high]: Bounds) {
  const half = (high - low) / 2;
  // So little off the bounds that w is finite there.
  const w = Float64Array.from(first, (pixel) => Math.atanh(((pixel - low) / half - 1) * 0.999999));
  const mean = new Float64Array(w.length);
  const square = new Float64Array(w.length);
  const pixels = new Float32Array(w.length);
  const show = () => {
    for (let i = 0; i < w.length; i++) pixels[i] = clip(low + half * (Math.tanh(w[i]) + 1), [low, high]);
  };
  show();
  return {
    pixels,
    step(marginGradient: Float32Array, constant: number, learningRate: number, t: number): void {
      for (let i = 0; i < w.length; i++) {
        const slope = half * (1 - Math.tanh(w[i]) ** 2);
        const gradient = (2 * (pixels[i] - origin[i]) - constant * marginGradient[i]) * slope;
        mean[i] = BETA1 * mean[i] + (1 - BETA1) * gradient;
        square[i] = BETA2 * square[i] + (1 - BETA2) * gradient ** 2;
        const scale = Math.sqrt(square[i] / (1 - BETA2 ** t)) + SMALL;
        w[i] -= (learningRate * mean[i]) / (1 - BETA1 ** t) / scale;
      }
      show();
    },
  };
}
