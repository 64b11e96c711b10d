// The fast gradient sign method.
import { ascending } from './loops/gradient-ascent.ts';
import { everyNorm, norms } from './norms/index.ts';
import { flag, lossNamed, MODEL_OPTIONS, normAmong, radius, stepLength, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack } from './types.ts';

export const FGSM_OPTIONS = {
  /** What the attack is called in results; default `fgsm`. */
  name: title('fgsm'),
  /** Default `linf`; in l2 and l1 the attack is also called FGM. */
  norm: normAmong(everyNorm, 'linf'),
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  epsilon: radius,
  /** True if the step starts at a random point of the ball (Wong et al. 2020); default false. */
  randomStart: flag(false),
  /** The length of the step in the norm; default epsilon, from a random start 1.25 · epsilon. */
  stepSize: stepLength(
    ({ epsilon, randomStart }: { epsilon: number; randomStart: boolean }) => (randomStart ? 1.25 : 1) * epsilon,
  ),
  /** What the attack increases, by name or the caller's own; default `ce`. */
  loss: lossNamed('ce'),
  ...MODEL_OPTIONS,
} as const satisfies OptionTable;

/** Options of `fgsm`. */
export type FgsmOptions = OptionsOf<typeof FGSM_OPTIONS>;

/**
 * The fast gradient sign method (Goodfellow et al. 2015, arXiv:1412.6572): x + epsilon · steepest(∇ loss(x)), one step
 * along the sign of the gradient in linf, the normalised gradient in l2, its largest pixels in l1, clipped to the bounds.
 * With `randomStart` it is the step of fast adversarial training (Wong et al. 2020, arXiv:2001.03994).
 *
 * In mode `evaluate` an image that already meets the goal comes back unchanged; any other comes back after the step.
 */
export function fgsm(options: FgsmOptions): Attack {
  const { norm, randomStart, ...values } = readOptions('fgsm', options, FGSM_OPTIONS);
  return ascending({
    ...values,
    norm: norms[norm],
    randomStart,
    steps: 1,
    restarts: 1,
    momentum: 0,
    keep: 'last',
  });
}
