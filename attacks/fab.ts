// The targeted fast adaptive boundary attack.
import { timesCost } from './loops/costs.ts';
import { beyondNoise, LOOKS_BEYOND_NOISE } from './loops/float-noise.ts';
import { meets } from './loops/goals.ts';
import { type Attempt, type Clean, type Problem, pixelsOf } from './loops/problem.ts';
import { ask, askGradient } from './loops/query.ts';
import { ledger, type Outcome, searching } from './loops/search.ts';
import { rankTargets, towards } from './loops/target-classes.ts';
import { cwMargin, logitDifference } from './losses.ts';
import { clip } from './norms/ball.ts';
import { everyNorm, norms } from './norms/index.ts';
import { cap, count, MODEL_OPTIONS, normAmong, positive, share, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack, Bounds, NormName } from './types.ts';

export const FAB_T_OPTIONS = {
  /** What the attack is called in results; default `fab-t`. */
  name: title('fab-t'),
  /** Default `linf`. */
  norm: normAmong(everyNorm, 'linf'),
  /** Examples further away count as none; null (default) for no such limit. */
  epsilon: cap,
  /** Default 100. */
  steps: count(100),
  /** Classes aimed at, the likeliest first; default 9, at most all but one. */
  targets: count(9),
  /** How far at most a step leans towards the clean image, 0 … 1; default 0.1. */
  largestBias: share(0.1),
  /** How far a step goes beyond the hyperplane; 1 reaches it, default 1.05. */
  overshoot: positive(1.05),
  /** How much of the perturbation is kept after a success, 0 … 1; default 0.9. */
  backward: share(0.9),
  ...MODEL_OPTIONS,
} as const satisfies OptionTable;

/** Options of `fabT`. */
export type FabTOptions = OptionsOf<typeof FAB_T_OPTIONS>;

/**
 * The targeted fast adaptive boundary attack, FAB-T (Croce and Hein 2020, arXiv:1907.02044): a smallest perturbation
 * that changes the class. Each step takes the boundary between the label y and a target t as the hyperplane π where
 * z_t − z_y, linear around x, is 0, projects x and the clean image x₀ onto π within the bounds, and combines both:
 *
 *     x ← (1 − α) · (x + η · (P(x) − x)) + α · (x₀ + η · (P(x₀) − x₀)),  α = min(‖P(x) − x‖ / (‖P(x) − x‖ + ‖P(x₀) − x₀‖), 0.1)
 *
 * After a success, whatever the class, it goes back to x₀ + 0.9 · (x − x₀). Nothing in it is random. The example found is moved
 * further from x₀ by up to a thousandth until its margin survives the rounding of another runtime.
 *
 * An image comes back as its nearest example, by the first target that has one within epsilon, or without epsilon by the
 * best of all; unchanged where there is none, or where it meets the goal already. Given a targeted goal it aims at that
 * class alone, at the boundary z_t = max_{j≠t} z_j. Both modes are the same.
 */
export function fabT(options: FabTOptions = {}): Attack {
  const { name, targets, ...search } = readOptions('fabT', options, FAB_T_OPTIONS);
  const { norm, epsilon, steps, eot, bounds } = search;
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) => {
      const aims = Math.min(targets, classes - 1);
      return timesCost(eot, {
        forwardPasses: 1 + aims * (2 * steps + LOOKS_BEYOND_NOISE),
        inputGradients: aims * steps,
      });
    },
    perturb: searching({
      name,
      bounds,
      eot,
      smallest: true,
      attempts: ({ goal }, { classes }) => (goal.kind === 'targeted' ? 1 : Math.min(targets, classes - 1)),
      run: (problem, clean, attempted) => run(search, problem, clean, attempted),
    }),
  };
}

interface BoundarySearch {
  readonly norm: NormName;
  readonly epsilon: number | null;
  readonly steps: number;
  readonly largestBias: number;
  readonly overshoot: number;
  readonly backward: number;
  readonly bounds: Bounds;
}

/** An attempt under way. */
interface Seeker extends Attempt {
  /** The clean image. */
  readonly origin: Float32Array;
  pixels: Float32Array;
  /** The nearest example so far, and its distance. */
  adversarial: Float32Array;
  nearest: number;
}

async function run(
  search: BoundarySearch,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
): Promise<readonly Outcome[]> {
  const { norm, epsilon, steps, bounds } = search;
  const { goal, shape } = problem;
  const { distance } = norms[norm];
  const ranked = rankTargets(problem, clean);
  const book = ledger(problem);
  const goalOf = (rows: readonly Attempt[]) => towards(problem, clean, ranked, rows, (restart) => restart);
  const loss = goal.kind === 'targeted' ? cwMargin : logitDifference;

  let rows = attempted.map((attempt): Seeker => {
    const image = pixelsOf(problem.pixels, shape, attempt.image);
    const pixels = Float32Array.from(problem.start ? pixelsOf(problem.start, shape, attempt.image) : image, (pixel) =>
      clip(pixel, bounds),
    );
    return { ...attempt, origin: image, pixels, nearest: Number.POSITIVE_INFINITY, adversarial: pixels };
  });
  // What an attempt has found ends the image's higher ones, but not itself.
  const found = new Map<number, number>();
  for (let step = 0; step < steps && rows.length > 0; step++) {
    const slopes = await askGradient(problem, clean, { loss, goal: goalOf(rows) }, rows);
    rows.forEach((row, i) => {
      row.pixels = lean(search, row.origin, row.pixels, slopes[i].gradient, slopes[i].loss);
    });
    const answers = await ask(problem, clean, { loss, goal: goalOf(rows) }, rows);
    rows.forEach((row, i) => {
      if (!meets(goal.kind, goal.classes[row.image], answers[i].prediction)) return;
      const { origin, pixels } = row;
      const away = distance(pixels, origin);
      if (away < row.nearest) {
        row.nearest = away;
        row.adversarial = pixels;
        if (epsilon !== null && away <= epsilon) {
          found.set(row.image, Math.min(row.restart, found.get(row.image) ?? row.restart));
        }
      }
      row.pixels = pixels.map((pixel, j) => origin[j] + search.backward * (pixel - origin[j]));
    });
    rows = rows.filter(({ image, restart }) => restart <= (found.get(image) ?? restart));
    problem.tell(step + 1, steps, rows);
  }
  const nearby = rows.filter(({ nearest }) => nearest <= (epsilon ?? Number.MAX_VALUE));
  const question = (asked: readonly Attempt[]) => ({ loss, goal: goalOf(asked) });
  const examples = await beyondNoise(problem, clean, question, nearby, { distance, epsilon, bounds });
  for (const [i, { image, restart, nearest }] of nearby.entries()) {
    book.settle({ image, restart, success: epsilon !== null, score: -nearest, adversarial: examples[i] });
  }
  return book.outcomes();
}

/** One step of FAB, given z_t − z_y and its gradient there. */
function lean(
  { norm, largestBias, overshoot, bounds }: BoundarySearch,
  origin: Float32Array,
  pixels: Float32Array,
  gradient: Float32Array,
  difference: number,
): Float32Array {
  const nothing = new Float32Array(origin.length);
  // The linear function at the clean image: d + g · (x₀ − x).
  let atOrigin = difference;
  for (let i = 0; i < origin.length; i++) atOrigin += gradient[i] * (origin[i] - pixels[i]);
  const { toHyperplane } = norms[norm];
  const own = toHyperplane(pixels, gradient, difference, bounds);
  const back = toHyperplane(origin, gradient, atOrigin, bounds);
  const lengthOfMove = (move: ArrayLike<number>) => Math.max(norms[norm].distance(move, nothing), 1e-8);
  const length = lengthOfMove(own);
  const bias = Math.min(length / (length + lengthOfMove(back)), largestBias);
  return pixels.map((pixel, i) =>
    clip((1 - bias) * (pixel + overshoot * own[i]) + bias * (origin[i] + overshoot * back[i]), bounds),
  );
}
