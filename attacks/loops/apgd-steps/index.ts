// The steps of Auto-PGD in every norm.
import { l2, linf } from '../../norms/index.ts';
import type { NormName } from '../../types.ts';
import { halving } from './halving.ts';
import type { StepRule } from './rule.ts';
import { sparse } from './sparse.ts';

export type { Best, Stepper, StepRule, Stretch } from './rule.ts';

/** The steps of Auto-PGD by norm. */
export const stepRules: { readonly [Norm in NormName]: StepRule } = {
  linf: halving(linf),
  l2: halving(l2),
  l1: sparse,
};
