// What a training attack is: a row of the table in `training-attacks.ts`. How many steps an epoch takes is in `plan.ts`.

import type { Attack, NormName } from '../../../attacks/types.ts';
import type { InnerAttack } from '../../objectives/types.ts';

/**
 * An attack on training batches. One in several norms has no norm and radius of its own, and it may give several examples of
 * each image: first one of every image, then the next.
 */
export interface TrainingAttack extends Pick<Attack, 'name' | 'perturb'>, Partial<Pick<Attack, 'norm' | 'epsilon'>> {
  /** The attack starts at x + startNoise · N(0, 1), as the objective wants. Null: the attack has a random start of its own. */
  readonly startNoise: number | null;
}

/** What a training attack is built from. */
export interface AdversaryOptions {
  readonly norm: NormName;
  /** Radius of the perturbations in pixel units of [0, 1]. */
  readonly epsilon: number;
  readonly steps: number;
  /** Length of a step in the norm. */
  readonly stepSize: number;
  /** The loss to increase, and the start that the objective wants. */
  readonly inner: InnerAttack;
}

/** A row of the table of training attacks. */
export interface Adversary {
  /** The number of steps, or null if it is a setting. */
  readonly steps: 1 | null;
  /** The length of a step if nothing else is said. */
  readonly stepSize: (epsilon: number, steps: number) => number;
  readonly build: (options: AdversaryOptions) => Attack & TrainingAttack;
}
