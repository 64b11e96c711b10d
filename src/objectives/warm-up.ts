// The warm-up of the training attack: its radius and step size rise at the start of training.
import { InputError } from '../core/errors.ts';

/** How strong the training attack is. */
export interface AttackStrength {
  readonly epsilon: number;
  readonly stepSize: number;
}

/** How the training attack grows at the start of a training. */
export interface AttackWarmUp {
  /** The share of the training in which ε rises linearly to its value, in [0, 1]; 0: none. */
  readonly epsilon?: number;
  /** The step size after the warm-up. */
  readonly stepSize?: number;
}

/** min(1, progress / length); 1 for length 0. */
export const ramp = (length: number, progress: number): number => (length > 0 ? Math.min(1, progress / length) : 1);

/**
 * The attack of an epoch while it warms up. A pure function of progress, so a resumed run needs no state.
 *
 * @param progress the share of the training done *after* the epoch, (epoch + 1) / epochs, so that the first attacks too
 * @throws InputError for a length outside [0, 1]
 */
export function warmedUp(
  { epsilon, stepSize }: AttackStrength,
  warmUp: AttackWarmUp,
  progress: number,
): AttackStrength {
  for (const length of [warmUp.epsilon ?? 0, warmUp.stepSize ?? 0]) {
    if (length >= 0 && length <= 1) continue;
    throw new InputError(
      `The length of a warm-up must be a share of the training in [0, 1], such as 0.1, got ${length}.`,
    );
  }
  return {
    epsilon: epsilon * ramp(warmUp.epsilon ?? 0, progress),
    stepSize: stepSize * ramp(warmUp.stepSize ?? 0, progress),
  };
}
