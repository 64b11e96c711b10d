// Auto-PGD's steps where the steepest step moves every pixel (Croce and Hein 2020, arXiv:2003.01690): momentum, and a
// length that is halved.
import { lengthOf, scaleTo } from '../../norms/ball.ts';
import type { Norm } from '../../norms/index.ts';
import type { StepRule } from './rule.ts';

/** The numbers of steps after which step sizes are judged, and how many steps each judges. */
export function checkpoints(steps: number): ReadonlyMap<number, number> {
  const share = (part: number) => Math.max(Math.floor(part * steps), 1);
  const at = new Map<number, number>();
  let length = share(0.22);
  for (let step = length; step <= steps; step += length) {
    at.set(step, length);
    length = Math.max(length - share(0.03), share(0.06));
  }
  return at;
}

/** How much of a step is new, and not the one before continued. */
const NEW = 0.75;

/**
 * From a random point of the sphere, with a step η of 2 · epsilon,
 *
 *     z ← Π(x + η · steepest(∇ loss(x)))
 *     x' ← Π(x + 0.75 · (z − x) + 0.25 · (x − x₋₁))
 *
 * At checkpoints, 22 % of the steps apart and ever closer, η is halved, and the image starts again at its best point,
 * where at most ρ of the steps since the last one raised the loss, or where neither η nor the best loss has changed.
 */
export const halving = (norm: Norm): StepRule => ({
  noise: (key, size, epsilon) => {
    const noise = norm.sample(key, size, epsilon);
    const scale = scaleTo(epsilon, lengthOf(norm, noise));
    return noise.map((x) => scale * x);
  },
  stepper: ({ epsilon, steps, rho }, ball) => {
    const judged = checkpoints(steps);
    let stepSize = 2 * epsilon;
    let previous: Float32Array | null = null;
    let arrived: number | null = null;
    /** Steps since the last checkpoint that raised the loss. */
    let rises = 0;
    /** The best loss at the last checkpoint, and whether the step was halved there. */
    let last = { loss: Number.NEGATIVE_INFINITY, halved: true };
    return {
      arrive: (loss) => {
        if (arrived === null) last = { loss, halved: true };
        else if (loss > arrived) rises++;
        arrived = loss;
      },
      judge: (step, best) => {
        const length = judged.get(step);
        if (length === undefined) return false;
        const halved = rises <= rho * length || (!last.halved && last.loss >= best.loss);
        last = { loss: best.loss, halved };
        rises = 0;
        if (!halved) return false;
        stepSize /= 2;
        return true;
      },
      move: (pixels, gradient) => {
        const next = Float32Array.from(pixels);
        norm.climb(next, gradient, stepSize);
        ball.project(next);
        if (previous) {
          for (let i = 0; i < next.length; i++) {
            next[i] = pixels[i] + NEW * (next[i] - pixels[i]) + (1 - NEW) * (pixels[i] - previous[i]);
          }
          ball.project(next);
        }
        previous = pixels;
        return next;
      },
    };
  },
});
