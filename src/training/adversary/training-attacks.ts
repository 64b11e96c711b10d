// The table of training attacks: a file for each, a row for each.

import { nFgsm } from './n-fgsm.ts';
import { pgd } from './pgd.ts';
import { rsFgsm } from './rs-fgsm.ts';
import type { Adversary } from './types.ts';

const trainingAttackRows = {
  pgd,
  'rs-fgsm': rsFgsm,
  'n-fgsm': nFgsm,
} satisfies Readonly<Record<string, Adversary>>;

/** The names of the rows. */
export type TrainingAttackName = keyof typeof trainingAttackRows;

/** The attacks that training can take its adversarial examples from, by the name of the setting `trainingAttack`. */
export const trainingAttacks: { readonly [Name in TrainingAttackName]: Adversary } = trainingAttackRows;
