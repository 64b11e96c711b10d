// What the studies say of paired differences: the t test, its adjustment for there being several questions, and the verdict.

import { studentTails } from '../../src/evaluation/distributions.ts';
import { holm, mean, smallestDetectable, standardDeviation } from '../../src/reporting/statistics/statistics.ts';

/** The accepted chance of a false difference among all primary comparisons. */
export const ALPHA = 0.05;
/** The chance with which a true difference is to be found. */
export const POWER = 0.8;

/** The answer to a primary question; open as long as pairs are missing. */
export type Verdict = 'distinguishable' | 'not distinguishable' | 'open';

/** Student's t test of paired differences. */
export interface PairedTest {
  /** Two-sided; NaN below two pairs, and if all differences are equal. */
  readonly p: number;
  /** The smallest true difference that a test of a level would find with the chance `POWER`; NaN where `p` is. */
  readonly smallest: (alpha: number) => number;
}

export function pairedTest(differences: readonly number[]): PairedTest {
  const error = standardDeviation(differences) / Math.sqrt(differences.length);
  const degrees = differences.length - 1;
  if (!(error > 1e-12)) return { p: Number.NaN, smallest: () => Number.NaN };
  return {
    p: studentTails(mean(differences) / error, degrees),
    smallest: (alpha) => smallestDetectable(error, degrees, { alpha, power: POWER }),
  };
}

/**
 * The p-values of all primary questions, adjusted by Holm. An open question counts with p = 1, so that a verdict that is shown
 * stays, whatever the answers to come.
 */
export const adjustedByHolm = (answers: readonly { readonly p: number; readonly open: boolean }[]): readonly number[] =>
  holm(answers.map(({ p, open }) => (open || Number.isNaN(p) ? 1 : p)));

export const verdictOf = (open: boolean, adjusted: number): Verdict =>
  open ? 'open' : adjusted <= ALPHA ? 'distinguishable' : 'not distinguishable';
