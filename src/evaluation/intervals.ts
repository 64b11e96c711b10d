// Confidence intervals of accuracies.
import { InputError } from '../core/errors.ts';

/** A confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** A share of images together with how far it may be from that of all images of the kind. */
export interface Accuracy extends Interval {
  /** correct / n */
  readonly value: number;
  readonly correct: number;
  readonly n: number;
}

/** The 97.5 % quantile of the standard normal distribution. */
const Z = 1.959963984540054;

/**
 * Wilson's 95 % score interval for a share of `correct` in `n`: the shares p with |p̂ − p| ≤ z √(p (1 − p) / n),
 *
 *     (p̂ + z²/2n ± z √(p̂ (1 − p̂)/n + z²/4n²)) / (1 + z²/n).
 *
 * It is about the test images of one checkpoint and says nothing about the spread between trainings.
 *
 * @param correct 0 … n
 * @throws InputError if correct is outside 0 … n or n is 0
 * @see Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927)
 */
export function wilson(correct: number, n: number): Interval {
  if (!(n > 0 && correct >= 0 && correct <= n)) {
    throw new InputError(`An interval needs n > 0 and 0 ≤ correct ≤ n, got correct = ${correct} and n = ${n}.`);
  }
  const share = correct / n;
  const center = share + Z ** 2 / (2 * n);
  const half = Z * Math.sqrt((share * (1 - share)) / n + Z ** 2 / (4 * n ** 2));
  const scale = 1 + Z ** 2 / n;
  return {
    low: correct === 0 ? 0 : (center - half) / scale,
    high: correct === n ? 1 : (center + half) / scale,
  };
}

/** `correct` of `n` as an accuracy with its Wilson interval. */
export const accuracyOf = (correct: number, n: number): Accuracy => ({
  value: correct / n,
  correct,
  n,
  ...wilson(correct, n),
});
