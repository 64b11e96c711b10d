// Auto-PGD's steps in l1 (Croce and Hein 2021, arXiv:2103.01208): sparse steps, whose number of pixels follows the sparsity
// of the best perturbation so far.
import { normal } from '../../../src/core/key.ts';
import { climbSparsely } from '../../norms/l1.ts';
import type { StepRule } from './rule.ts';

/** The share of pixels that steps from a random point move. */
const FIRST_SHARE = 0.2;
/** The factor by which a step moves fewer pixels than the best perturbation changes. */
const SPARSER = 1.5;
/** A perturbation of fewer than this share of the pixels of the one before counts as sparser. */
const IS_SPARSER = 0.95;
/** The factor by which the length of a step shrinks if the perturbation does not become sparser, and the largest factor in all. */
const SHORTER = 1.5;
const SHORTEST = 10;
/** The share of all steps after which steps are judged. */
const STAGE = 0.04;

/**
 * Starts at Gaussian noise, projected onto ball and bounds, and takes steps of length η = ε along the signs of the k largest
 * gradients:
 *
 *     x' ← Π(x + η · sign(g_k) / k)
 *
 * There is no momentum. After every 4 % of the steps k becomes ‖x* − x₀‖₀ / 1.5, x* the best point. Where that is sparser
 * than at the stage before, by 5 % at least, η becomes ε again and the image goes on from x*. Elsewhere η shrinks by 1.5, to
 * ε / 10 at least.
 */
export const sparse: StepRule = {
  noise: (key, size) => normal(key, size),
  stepper: ({ epsilon, steps }, ball, image, from, isRandom) => {
    const size = image.length;
    const stage = Math.max(Math.floor(STAGE * steps), 1);
    let changed = isRandom ? size : changedPixels(from, image);
    let share = isRandom ? FIRST_SHARE : changed / size / SPARSER;
    let stepSize = epsilon;
    return {
      arrive: () => {},
      judge: (step, best) => {
        if (step === 0 || step % stage !== 0) return false;
        const now = changedPixels(best.pixels, image);
        const isSparser = now / changed < IS_SPARSER;
        changed = now;
        share = now / size / SPARSER;
        stepSize = isSparser ? epsilon : Math.max(stepSize / SHORTER, epsilon / SHORTEST);
        return isSparser;
      },
      move: (pixels, gradient) => {
        const next = Float32Array.from(pixels);
        climbSparsely(next, gradient, stepSize, size - Math.floor((1 - share) * size));
        ball.project(next);
        return next;
      },
    };
  },
};

/** ‖x − x₀‖₀: how many pixels differ. */
function changedPixels(pixels: Float32Array, image: Float32Array): number {
  let count = 0;
  for (let i = 0; i < image.length; i++) if (pixels[i] !== image[i]) count++;
  return count;
}
