// The table of training attacks: a file for each, a row for each.

import { nFgsm } from './n-fgsm.ts';
import { pgd } from './pgd.ts';
import { rsFgsm } from './rs-fgsm.ts';
import type { Adversary } from './types.ts';

export type TrainingAttackName = 'pgd' | 'rs-fgsm' | 'n-fgsm';

/** The attacks that training can take its adversarial examples from, by the name of the setting `trainingAttack`. */
export const trainingAttacks: { readonly [Name in TrainingAttackName]: Adversary } = {
  pgd,
  'rs-fgsm': rsFgsm,
  'n-fgsm': nFgsm,
};
