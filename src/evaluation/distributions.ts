// Probabilities and quantiles of the distributions behind intervals and tests. The Cephes library computes them; here are
// the field's names for them, the ranges that they are defined on, and what happens at the ends of floating point.

import { createRequire } from 'node:module';
import { InputError } from '../core/errors.ts';

type Cephes = typeof import('cephes', { with: { 'resolution-mode': 'require' }});

const require = createRequire(import.meta.url);

/** Loads Cephes on first use, since it compiles its WebAssembly when it is loaded. */
const cephes = (): Cephes => require('cephes');

function checkProbability(probability: number): void {
  if (!(probability > 0 && probability < 1)) {
    throw new InputError(`A quantile: expected a probability in (0, 1), got ${probability}.`);
  }
}

function checkDegrees(degrees: number): void {
  if (!Number.isInteger(degrees) || degrees < 1) {
    throw new InputError(`Degrees of freedom: expected a whole number of at least 1, got ${degrees}.`);
  }
}

/**
 * Quantile of Student's t distribution: the t with P(T ≤ t) = `probability`.
 *
 * @param probability in (0, 1)
 * @param degrees of freedom, a whole number ≥ 1
 * @throws InputError outside these ranges
 */
export function studentQuantile(probability: number, degrees: number): number {
  checkProbability(probability);
  checkDegrees(degrees);
  return cephes().stdtri(degrees, probability);
}

/**
 * Two-sided p-value of a t statistic: P(|T| ≥ |t|) of Student's t distribution.
 *
 * @param degrees of freedom, a whole number ≥ 1
 * @throws InputError for other degrees of freedom
 */
export function studentTails(t: number, degrees: number): number {
  checkDegrees(degrees);
  return 2 * cephes().stdtr(degrees, -Math.abs(t));
}

/**
 * Quantile of the beta distribution: the share x with P(X ≤ x) = `probability`. The ends of the Clopper–Pearson interval
 * of k in n are the α/2 quantile of Beta(k, n − k + 1) and the 1 − α/2 quantile of Beta(k + 1, n − k).
 *
 * @param probability in (0, 1)
 * @param a, b parameters of the distribution, > 0
 * @throws InputError outside these ranges
 */
export function betaQuantile(probability: number, a: number, b: number): number {
  checkProbability(probability);
  if (!(a > 0 && b > 0)) {
    throw new InputError(`A beta distribution: expected parameters above 0, got ${a} and ${b}.`);
  }
  return cephes().incbi(a, b, probability);
}

/**
 * P(X ≤ x) of the χ² distribution.
 *
 * @param degrees of freedom, a whole number ≥ 1
 * @throws InputError for other degrees of freedom
 */
export function chiSquareProbability(x: number, degrees: number): number {
  checkDegrees(degrees);
  try {
    return cephes().chdtr(degrees, x);
  } catch {
    // Cephes throws where the smaller of P and 1 − P underflows.
    return x < degrees ? 0 : 1;
  }
}
