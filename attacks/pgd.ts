import { InputError } from '../src/core/errors.ts';
import { ascending } from './loops/gradient-ascent.ts';
import { type LossName, lossOf } from './losses.ts';
import { normOf } from './norms/index.ts';
import { checkBounds, checkCount, checkEpsilon, checkPositive } from './support/checks.ts';
import { checkOptions, type OptionNames } from './support/options.ts';
import type { Attack, Bounds, Loss, NormName } from './types.ts';

/** Options of PGD. */
export interface PgdOptions {
  /** What the attack is called in results; default `pgd`. */
  readonly name?: string;
  /** Default `linf`. */
  readonly norm?: NormName;
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  readonly epsilon: number;
  /** Default 10. */
  readonly steps?: number;
  /** The length of a step in the norm; default 2.5 · epsilon / steps. */
  readonly stepSize?: number;
  /** Whether an attempt starts at a random point of the ball, or at the image; default true. */
  readonly randomStart?: boolean;
  /** Attempts at each image, each from another random start; default 1. */
  readonly restarts?: number;
  /** How much of the accumulated gradient a step keeps; default 0: none. */
  readonly momentum?: number;
  /** What the attack increases, by name or the caller's own; default `cross-entropy`. */
  readonly loss?: LossName | Loss;
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  readonly bounds?: Bounds;
}

/** Those that make sense without a random start. */
export const STEP_OPTIONS = {
  name: true,
  norm: true,
  epsilon: true,
  steps: true,
  stepSize: true,
  momentum: true,
  loss: true,
  bounds: true,
} as const;

const OPTIONS: OptionNames<PgdOptions> = { ...STEP_OPTIONS, randomStart: true, restarts: true };

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
  checkOptions('pgd', options, OPTIONS);
  const {
    name = 'pgd',
    norm = 'linf',
    epsilon,
    steps = 10,
    stepSize = (2.5 * epsilon) / steps,
    randomStart = true,
    restarts = 1,
    momentum = 0,
    loss = 'cross-entropy',
    bounds = [0, 1],
  } = options;
  checkBounds(bounds);
  checkEpsilon(epsilon, norm, bounds);
  checkCount('steps', steps, 1);
  checkCount('restarts', restarts, 1);
  checkPositive('stepSize', stepSize, epsilon === 0);
  checkPositive('momentum', momentum, true);
  if (restarts > 1 && !randomStart) {
    throw new InputError(`${restarts} restarts from the image itself are one; set randomStart, or restarts to 1.`);
  }
  return ascending({
    name,
    norm: normOf(norm),
    epsilon,
    stepSize,
    steps,
    restarts,
    randomStart,
    momentum,
    loss: lossOf(loss),
    bounds,
    keep: 'best',
  });
}
