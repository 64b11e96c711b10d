// DeepFool.
import { timesCost } from './loops/costs.ts';
import { meets, type ReadGoal } from './loops/goals.ts';
import { type Attempt, type Clean, type Problem, pixelsOf } from './loops/problem.ts';
import { ask, askGradient } from './loops/query.ts';
import { ledger, type Outcome, searching } from './loops/search.ts';
import { rankTargets } from './loops/target-classes.ts';
import { cwMargin, logitDifference } from './losses.ts';
import { clip } from './norms/ball.ts';
import { norms } from './norms/index.ts';
import { cap, count, MODEL_OPTIONS, normAmong, notNegative, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack, Bounds } from './types.ts';

export const DEEPFOOL_OPTIONS = {
  /** What the attack is called in results; default `deepfool`. */
  name: title('deepfool'),
  /** `l2` (default) or `linf`. */
  norm: normAmong(['linf', 'l2'], 'l2'),
  /** Examples further away count as none; null (default) for no such limit. */
  epsilon: cap,
  /** Default 50. */
  steps: count(50),
  /** How much further an example lies than the boundary, as a share of the way to it; default 0.02. */
  overshoot: notNegative(0.02),
  /** Classes whose boundaries are looked at, those of the highest clean logits; default 9, at most all but one. */
  candidates: count(9),
  ...MODEL_OPTIONS,
} as const satisfies OptionTable;

/** Options of `deepFool`. */
export type DeepFoolOptions = OptionsOf<typeof DEEPFOOL_OPTIONS>;

/**
 * DeepFool (Moosavi-Dezfooli et al. 2016, arXiv:1511.04599): steps to the nearest boundary of the label y, each taken as
 * linear. In l2, with f_k = z_k − z_y and w_k its gradient,
 *
 *     x ← clip(x + |f_k| · w_k / ‖w_k‖₂²),  k = argmin |f_k| / ‖w_k‖₂
 *
 * and in linf |f_k| · sign(w_k) / ‖w_k‖₁ with ‖w_k‖₁ in the place of ‖w_k‖₂. Pixels that the bounds keep from going along
 * w_k are left out of it. A step takes a gradient for each candidate.
 *
 * The example is x₀ + (1 + overshoot) · (x − x₀): the whole perturbation is made longer, not each step, so the example lies
 * beyond the boundary by a share of its distance. It goes beyond the point where the goal is met by at least half the
 * overshoot, so that another runtime's rounding does not undo it, and for that up to 1.5 times the overshoot.
 *
 * An image that meets the goal already, or whose example is not found within epsilon, comes back unchanged. A targeted
 * goal goes to the boundary z_t = max_{j≠t} z_j. Nothing is random, and both modes are the same.
 */
export function deepFool(options: DeepFoolOptions = {}): Attack {
  const { name, ...search } = readOptions('deepFool', options, DEEPFOOL_OPTIONS);
  const { norm, epsilon, steps, candidates, eot, bounds } = search;
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) => {
      const ranks = Math.min(candidates, classes - 1);
      return timesCost(eot, { forwardPasses: 1 + steps * (ranks + 3), inputGradients: steps * ranks });
    },
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

interface BoundarySteps {
  readonly norm: 'linf' | 'l2';
  readonly epsilon: number | null;
  readonly steps: number;
  readonly overshoot: number;
  readonly candidates: number;
  readonly bounds: Bounds;
}

/** An image under way. */
interface Walker extends Attempt {
  readonly origin: Float32Array;
  /** Where its steps have led, which is near the boundary. */
  pixels: Float32Array;
}

/** What each step goes beyond the boundary, as a share of the range of pixels: rounding would leave some steps at it. */
const NUDGE = 1e-5;

/**
 * The gradient without the pixels that the bounds stop. A step along the whole would be cut there, always fall short of the
 * boundary by a share of the way, and so come as near as one likes but never across.
 */
const freeToMove = (
  gradient: Float32Array,
  direction: number,
  pixels: Float32Array,
  [low, high]: Bounds,
): Float32Array =>
  gradient.map((slope, i) => ((slope * direction > 0 ? pixels[i] >= high : pixels[i] <= low) ? 0 : slope));

/** A boundary as seen from a point. */
interface Boundary {
  readonly difference: number;
  readonly gradient: Float32Array;
  readonly distance: number;
}

async function run(
  search: BoundarySteps,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
): Promise<readonly Outcome[]> {
  const { norm, epsilon, steps, overshoot, candidates, bounds } = search;
  const { goal, shape } = problem;
  const ranked = rankTargets(problem, clean);
  const ranks = goal.kind === 'targeted' ? 1 : Math.min(candidates, clean.classes - 1);
  const loss = goal.kind === 'targeted' ? cwMargin : logitDifference;
  const { gain, climb, distance: distanceOf } = norms[norm];
  const book = ledger(problem);
  let rows = attempted.map((attempt): Walker => {
    const origin = pixelsOf(problem.pixels, shape, attempt.image);
    const start = problem.start ? pixelsOf(problem.start, shape, attempt.image) : origin;
    return { ...attempt, origin, pixels: start.map((pixel) => clip(pixel, bounds)) };
  });
  for (let step = 0; ; step++) {
    if (step > 0 || problem.start) await settleBeyond();
    if (step === steps || rows.length === 0) break;
    const nearest = new Map<Walker, Boundary>();
    for (let rank = 0; rank < ranks; rank++) {
      const answers = await askGradient(problem, clean, { loss, goal: goalOf(rows, rank) }, rows);
      rows.forEach((row, i) => {
        const { loss: difference, gradient: whole } = answers[i];
        const gradient = freeToMove(whole, difference > 0 ? -1 : 1, row.pixels, bounds);
        const slope = gain(gradient);
        // Where nothing moves the difference, there is no boundary in sight.
        const distance = slope > 0 ? Math.abs(difference) / slope : Number.POSITIVE_INFINITY;
        if (distance < (nearest.get(row)?.distance ?? Number.POSITIVE_INFINITY)) {
          nearest.set(row, { difference, gradient, distance });
        }
      });
    }
    for (const row of rows) {
      const boundary = nearest.get(row);
      if (boundary) row.pixels = cross(row.pixels, boundary);
    }
    problem.tell(step + 1, steps, rows);
  }
  return book.outcomes();

  /**
   * Settles the rows that meet the goal with the overshoot, or already with half of it. The example goes half an overshoot
   * further than that, so that neither the rounding of another runtime nor a boundary that is not quite where it seemed
   * undoes it; unless it would no longer meet the goal there.
   */
  async function settleBeyond(): Promise<void> {
    const examples = [0.5, 1, 1.5].map((share) =>
      rows.map((row) => ({ ...row, pixels: beyond(row, share * overshoot) })),
    );
    const asked = examples.flat();
    const answers = await ask(problem, clean, { loss, goal: goalOf(asked, 0) }, asked);
    const does = answers.map(({ prediction }, i) => meets(goal.kind, goal.classes[asked[i].image], prediction));
    rows.forEach((row, i) => {
      const meetsWith = examples.map((_, share) => does[share * rows.length + i]);
      const first = meetsWith.indexOf(true);
      if (first !== 0 && first !== 1) return;
      settle(row, examples[meetsWith[first + 1] ? first + 1 : first][i].pixels);
    });
    rows = rows.filter(book.isOpen);
  }

  function settle({ image, restart, origin }: Walker, example: Float32Array): void {
    const away = distanceOf(example, origin);
    const within = away <= (epsilon ?? Number.MAX_VALUE);
    book.settle({ image, restart, success: true, score: -away, adversarial: within ? example : origin });
  }

  /** The whole perturbation of a row, longer by a share. */
  function beyond({ origin, pixels }: Walker, share: number): Float32Array {
    return pixels.map((pixel, i) => clip(origin[i] + (1 + share) * (pixel - origin[i]), bounds));
  }

  function goalOf(walkers: readonly Walker[], rank: number): ReadGoal {
    return {
      kind: 'targeted',
      classes: Int32Array.from(walkers, ({ image }) => ranked[image][rank]),
      labels: Int32Array.from(walkers, ({ image }) => goal.classes[image]),
    };
  }

  function cross(pixels: Float32Array, { difference, gradient, distance }: Boundary): Float32Array {
    // A target is approached where the difference is below 0, which it is until it wins.
    const length = (distance + NUDGE * (bounds[1] - bounds[0])) * (difference > 0 ? -1 : 1);
    const crossed = Float32Array.from(pixels);
    climb(crossed, gradient, length);
    return crossed.map((pixel) => clip(pixel, bounds));
  }
}
