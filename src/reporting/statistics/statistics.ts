// Statistics over runs: means and deviations, adjusted p-values, and what a paired comparison could have shown.

import { InputError } from '../../core/errors.ts';
import { chiSquareProbability, studentQuantile } from '../../evaluation/distributions.ts';

/** The arithmetic mean; NaN of no values. */
export const mean = (values: readonly number[]): number => sum(values) / values.length;

/** The sample standard deviation √(Σ (x − x̄)² / (n − 1)); NaN below two values. */
export const standardDeviation = (values: readonly number[]): number => {
  if (values.length < 2) return Number.NaN;
  const center = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - center) ** 2)) / (values.length - 1));
};

// mathjs has these too, and takes a second to load.
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/**
 * p-values adjusted for being one of several questions: the i-th smallest of m becomes max over j ≤ i of
 * min(1, (m − j + 1) · p₍ⱼ₎). At or below α it is significant, the chance of any false one among the m being at most α.
 *
 * @param pValues a question that has no answer counts with p = 1
 * @see Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979)
 */
export function holm(pValues: readonly number[]): number[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a] - pValues[b]);
  const adjusted = pValues.map(() => 1);
  let largest = 0;
  for (const [rank, i] of order.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * pValues[i]));
    adjusted[i] = largest;
  }
  return adjusted;
}

/**
 * The chance that a two-sided t test finds a true difference of `effect` standard errors: P(|T| > t) for the noncentral
 * t distribution, T = (Z + effect) / √(V / ν), as the mean over Z of P(V < ν (Z + effect)² / t²), V being χ² of ν degrees.
 */
function powerOf(effect: number, critical: number, degrees: number): number {
  const [limit, intervals] = [8, 400];
  const step = (2 * limit) / intervals;
  let total = 0;
  for (let i = 0; i <= intervals; i++) {
    const z = -limit + i * step;
    const weight = i === 0 || i === intervals ? 1 : i % 2 === 1 ? 4 : 2; // Simpson's
    const chiSquare = (degrees * (z + effect) ** 2) / critical ** 2;
    total += weight * Math.exp(-(z ** 2) / 2) * chiSquareProbability(chiSquare, degrees);
  }
  return (total * step) / 3 / Math.sqrt(2 * Math.PI);
}

/**
 * The smallest true difference that a two-sided t test would show with a given chance.
 *
 * @param standardError of the mean difference
 * @param degrees of freedom, a whole number ≥ 1
 * @param options.alpha level of the test, in (0, 1)
 * @param options.power the chance, above the level and below 1
 * @throws InputError outside these ranges
 */
export function smallestDetectable(
  standardError: number,
  degrees: number,
  { alpha = 0.05, power = 0.8 }: { readonly alpha?: number; readonly power?: number } = {},
): number {
  if (!(power > alpha && power < 1)) {
    throw new InputError(`The power of a test: expected a number above its level ${alpha} and below 1, got ${power}.`);
  }
  const critical = studentQuantile(1 - alpha / 2, degrees);
  let low = 0;
  let high = critical;
  while (powerOf(high, critical, degrees) < power) high *= 2;
  for (let i = 0; i < 50; i++) {
    const middle = (low + high) / 2;
    if (powerOf(middle, critical, degrees) < power) low = middle;
    else high = middle;
  }
  return high * standardError;
}
