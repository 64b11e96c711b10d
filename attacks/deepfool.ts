import { askGradient } from './ask.ts';
import { checkNorm, clip, lengthOf, type SearchNorm, scaleTo, searchNorms } from './ball.ts';
import { type Bounds, checkBounds, checkCap, checkCount, checkPositive } from './checks.ts';
import { meets, type ReadGoal } from './goals.ts';
import { cwMargin, logitDifference } from './losses.ts';
import { norms } from './norms/index.ts';
import { checkOptions, type OptionNames } from './options.ts';
import { type Attempt, type Clean, type Problem, pixelsOf } from './problem.ts';
import { ledger, type Outcome, searching } from './search.ts';
import { rankTargets } from './target-classes.ts';
import type { Attack, NormName } from './types.ts';

export interface DeepFoolOptions {
  /** What the attack is called in results; default `deepfool`. */
  readonly name?: string;
  /** `l2` (default) or `linf`. */
  readonly norm?: NormName;
  /** Examples further away count as none; null (default) for no such limit. */
  readonly epsilon?: number | null;
  /** Default 50. */
  readonly steps?: number;
  /** How much longer each step is than the way to the boundary, as a share; default 0.02. */
  readonly overshoot?: number;
  /** Classes whose boundaries are looked at, those of the highest clean logits; default 9, at most all but one. */
  readonly candidates?: number;
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  readonly bounds?: Bounds;
}

const OPTIONS: OptionNames<DeepFoolOptions> = {
  name: true,
  norm: true,
  epsilon: true,
  steps: true,
  overshoot: true,
  candidates: true,
  bounds: true,
};

/**
 * DeepFool (Moosavi-Dezfooli et al. 2016, arXiv:1511.04599): steps to the nearest boundary of the label y, each taken as
 * linear, until the class changes. In l2, with f_k = z_k − z_y and w_k its gradient,
 *
 *     x ← clip(x + (1 + overshoot) · |f_k| · w_k / ‖w_k‖₂²),  k = argmin |f_k| / ‖w_k‖₂
 *
 * and in linf |f_k| · sign(w_k) / ‖w_k‖₁ with ‖w_k‖₁ in the place of ‖w_k‖₂. Pixels that the bounds keep from going along w_k are left out of it. A step takes a gradient for each
 * candidate.
 *
 * An image that meets the goal already, or whose example is not found within epsilon, comes back unchanged. A targeted
 * goal goes to the boundary z_t = max_{j≠t} z_j. Nothing is random, and both modes are the same.
 */
export function deepFool(options: DeepFoolOptions = {}): Attack {
  checkOptions('deepFool', options, OPTIONS);
  const {
    name = 'deepfool',
    norm = 'l2',
    epsilon = null,
    steps = 50,
    overshoot = 0.02,
    candidates = 9,
    bounds = [0, 1],
  } = options;
  const known = checkNorm(name, norm, searchNorms);
  checkBounds(bounds);
  checkCap(epsilon, norm, bounds);
  checkCount('steps', steps, 1);
  checkCount('candidates', candidates, 1);
  checkPositive('overshoot', overshoot, true);
  const search = { norm: known, epsilon, steps, overshoot, candidates, bounds };
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) => {
      const looks = steps * Math.min(candidates, classes - 1) + 1;
      return { forwardPasses: 1 + looks, inputGradients: looks };
    },
    perturb: searching({
      name,
      bounds,
      smallest: true,
      attempts: () => 1,
      run: (problem, clean, attempted) => run(search, problem, clean, attempted),
    }),
  };
}

interface BoundarySteps {
  readonly norm: SearchNorm;
  readonly epsilon: number | null;
  readonly steps: number;
  readonly overshoot: number;
  readonly candidates: number;
  readonly bounds: Bounds;
}

/** An image under way. */
interface Walker extends Attempt {
  readonly origin: Float32Array;
  pixels: Float32Array;
}

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
  // The length of a gradient in the dual norm: what a step of length 1 gains.
  const dual = norm === 'linf' ? norms.l1 : norms.l2;
  const book = ledger();
  let rows = attempted.map((attempt): Walker => {
    const origin = pixelsOf(problem.pixels, shape, attempt.image);
    const start = problem.start ? pixelsOf(problem.start, shape, attempt.image) : origin;
    return { ...attempt, origin, pixels: start.map((pixel) => clip(pixel, bounds)) };
  });
  for (let step = 0; rows.length > 0; step++) {
    const nearest = new Map<Walker, Boundary>();
    // The first candidate's pass also tells where the rows are.
    for (let rank = 0; rank < (step === steps ? 1 : ranks) && rows.length > 0; rank++) {
      const answers = await askGradient(problem, clean, { loss, goal: goalAt(rank) }, rows);
      rows.forEach((row, i) => {
        const { loss: difference, gradient: whole, prediction } = answers[i];
        const { image, restart, origin, pixels } = row;
        if (rank === 0 && meets(goal.kind, goal.classes[image], prediction)) {
          const away = norms[norm].distance(pixels, origin);
          const within = away <= (epsilon ?? Number.MAX_VALUE);
          book.settle({ image, restart, success: true, score: -away, adversarial: within ? pixels : origin });
          return;
        }
        const gradient = freeToMove(whole, difference > 0 ? -1 : 1, pixels, bounds);
        const slope = lengthOf(dual, gradient);
        // Where nothing moves the difference, there is no boundary in sight.
        const distance = slope > 0 ? Math.abs(difference) / slope : Number.POSITIVE_INFINITY;
        if (distance < (nearest.get(row)?.distance ?? Number.POSITIVE_INFINITY)) {
          nearest.set(row, { difference, gradient, distance });
        }
      });
      rows = rows.filter(book.isOpen);
    }
    if (step === steps) break;
    for (const row of rows) {
      const boundary = nearest.get(row);
      if (boundary) row.pixels = cross(row.pixels, boundary);
    }
    problem.tell(step + 1, steps, rows);
  }
  return book.outcomes();

  function goalAt(rank: number): ReadGoal {
    return {
      kind: 'targeted',
      classes: Int32Array.from(rows, ({ image }) => ranked[image][rank]),
      labels: Int32Array.from(rows, ({ image }) => goal.classes[image]),
    };
  }

  function cross(pixels: Float32Array, { difference, gradient, distance }: Boundary): Float32Array {
    // A target is approached where the difference is below 0, which it is until it wins.
    const length = (1 + overshoot) * distance * (difference > 0 ? -1 : 1);
    const scale = norm === 'l2' ? scaleTo(length, lengthOf(norms.l2, gradient)) : length;
    return pixels.map((pixel, i) =>
      clip(pixel + scale * (norm === 'l2' ? gradient[i] : Math.sign(gradient[i])), bounds),
    );
  }
}
