import { ascending } from './loops/gradient-ascent.ts';
import { type LossName, lossOf } from './losses.ts';
import { normOf } from './norms/index.ts';
import { checkBounds, checkEpsilon, checkPositive } from './support/checks.ts';
import { checkOptions, type OptionNames } from './support/options.ts';
import type { Attack, Bounds, Loss, NormName } from './types.ts';

/** Options of FGSM. */
export interface FgsmOptions {
  /** What the attack is called in results; default `fgsm`. */
  readonly name?: string;
  /** Default `linf`; in l2 and l1 the attack is also called FGM. */
  readonly norm?: NormName;
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  readonly epsilon: number;
  /** Whether the step starts at a random point of the ball (Wong et al. 2020); default false. */
  readonly randomStart?: boolean;
  /** The length of the step in the norm; default epsilon, from a random start 1.25 · epsilon. */
  readonly stepSize?: number;
  /** What the attack increases, by name or the caller's own; default `cross-entropy`. */
  readonly loss?: LossName | Loss;
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  readonly bounds?: Bounds;
}

const OPTIONS: OptionNames<FgsmOptions> = {
  name: true,
  norm: true,
  epsilon: true,
  randomStart: true,
  stepSize: true,
  loss: true,
  bounds: true,
};

/**
 * The fast gradient sign method (Goodfellow et al. 2015, arXiv:1412.6572): x + epsilon · steepest(∇ loss(x)), one step
 * along the sign of the gradient in linf, the normalised gradient in l2, its largest pixels in l1, clipped to the bounds.
 * With `randomStart` it is the step of fast adversarial training (Wong et al. 2020, arXiv:2001.03994).
 *
 * In mode `evaluate` an image that already meets the goal comes back unchanged; any other comes back after the step.
 */
export function fgsm(options: FgsmOptions): Attack {
  checkOptions('fgsm', options, OPTIONS);
  const {
    name = 'fgsm',
    norm = 'linf',
    epsilon,
    randomStart = false,
    loss = 'cross-entropy',
    bounds = [0, 1],
  } = options;
  const { stepSize = (randomStart ? 1.25 : 1) * epsilon } = options;
  checkBounds(bounds);
  checkEpsilon(epsilon, norm, bounds);
  checkPositive('stepSize', stepSize, epsilon === 0);
  return ascending({
    name,
    norm: normOf(norm),
    epsilon,
    stepSize,
    steps: 1,
    restarts: 1,
    randomStart,
    momentum: 0,
    loss: lossOf(loss),
    bounds,
    keep: 'last',
  });
}
