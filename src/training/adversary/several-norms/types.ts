// What a way to train against several norms is: a row of the table in `several-norms.ts`.
import type { AdversaryOptions, TrainingAttack } from '../types.ts';

/** The training attack in one of several norms, and what it was built from. */
export interface Member extends AdversaryOptions {
  readonly attack: TrainingAttack;
}

/** A way to train against several norms: one training attack made of one for each norm, at least two. */
export interface Combination {
  /** True for a way that steps by itself, and so takes the place of the training attack pgd only. */
  readonly ownSteps: boolean;
  readonly build: (members: readonly Member[]) => TrainingAttack;
}
