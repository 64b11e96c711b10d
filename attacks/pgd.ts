// Projected gradient descent.
import { InputError } from '../src/core/errors.ts';
import { ascending } from './loops/gradient-ascent.ts';
import { norms } from './norms/index.ts';
import {
  BALL_OPTIONS,
  count,
  flag,
  lossNamed,
  MODEL_OPTIONS,
  notNegative,
  stepLength,
  title,
} from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack } from './types.ts';

/** The step size of PGD unless another is given: 2.5 · epsilon / steps (Madry et al. 2018). */
export const defaultStepSize = (epsilon: number, steps: number): number => (2.5 * epsilon) / steps;

/** The options that make sense without a random start. */
export const STEP_OPTIONS = {
  /** What the attack is called in results; default `pgd`. */
  name: title('pgd'),
  ...BALL_OPTIONS,
  /** Default 10. */
  steps: count(10),
  /** The length of a step in the norm; default 2.5 · epsilon / steps. */
  stepSize: stepLength(({ epsilon, steps }: { epsilon: number; steps: number }) => defaultStepSize(epsilon, steps)),
  /** How much of the accumulated gradient a step keeps; default 0: none. */
  momentum: notNegative(0),
  /** What the attack increases, by name or the caller's own; default `ce`. */
  loss: lossNamed('ce'),
  ...MODEL_OPTIONS,
} as const satisfies OptionTable;

export const PGD_OPTIONS = {
  ...STEP_OPTIONS,
  /** True if an attempt starts at a random point of the ball, or at the image; default true. */
  randomStart: flag(true),
  /** Attempts at each image, each from another random start; default 1. */
  restarts: count(1),
} as const satisfies OptionTable;

/** Options of `pgd`. */
export type PgdOptions = OptionsOf<typeof PGD_OPTIONS>;

/**
 * Projected gradient descent (Madry et al. 2018, arXiv:1706.06083): from a random point of the ball, `steps` times
 *
 *     x ← Π(x + stepSize · steepest(∇ loss(x)))
 *
 * where Π projects onto the ball and then clips to the bounds, and steepest is sign(g) in linf, g / ‖g‖₂ in l2, and in
 * l1 the sign at the 1 % of pixels with the largest gradients (Tramèr and Boneh 2019).
 *
 * In mode `evaluate` an image that already meets the goal comes back unchanged, one that the attack moves across the
 * boundary as it first did so, any other as its iterate of highest loss over all restarts. In mode `train` every step
 * runs and the last iterate comes back; with restarts, that of highest loss.
 *
 * Throws InputError for options out of range, images beyond `bounds`, and labels that the model does not have.
 */
export function pgd(options: PgdOptions): Attack {
  const { norm, randomStart, restarts, ...values } = readOptions('pgd', options, PGD_OPTIONS);
  if (restarts > 1 && !randomStart) {
    throw new InputError(
      `restarts: expected 1 without a random start, since all would be the same, got ${restarts}. Set randomStart to true, or restarts to 1.`,
    );
  }
  return ascending({ ...values, norm: norms[norm], randomStart, restarts, keep: 'best' });
}
