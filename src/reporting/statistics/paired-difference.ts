// Differences between two ways of training, pair by pair of equal seeds. This file alone decides what is reported of them, and only
// here: below three pairs there is neither a mean nor an interval to show, let alone a verdict.

import { InputError } from '../../core/errors.ts';
import { studentQuantile } from '../../evaluation/distributions.ts';
import type { Interval } from '../../evaluation/intervals.ts';
import { mean, standardDeviation } from './statistics.ts';

/** The smallest number of pairs with an interval. With two pairs the spread is hardly known: two that agree by chance would look certain. */
export const LEAST_PAIRS = 3;

/** The mean of differences with its 95 % t interval. */
export interface Estimate extends Interval {
  readonly mean: number;
  /**
   * True if the interval excludes 0. False if all differences are equal: few test images make that happen by chance, and
   * then nothing is known of their spread.
   */
  readonly distinguishable: boolean;
}

export interface PairedDifference {
  /** Number of pairs, at least 1. */
  readonly n: number;
  /** Treated − control, pair by pair. */
  readonly differences: readonly number[];
  /** The mean with its interval; null below three pairs, where only the single differences may be shown. */
  readonly estimate: Estimate | null;
}

/**
 * Differences d = treated − control, pair by pair, and from three pairs on mean(d) ± t₀.₉₇₅(n − 1) · s_d / √n.
 *
 * @throws InputError if the lengths differ or there is no pair
 */
export function pairedDifference(treated: readonly number[], control: readonly number[]): PairedDifference {
  const n = treated.length;
  if (n === 0 || control.length !== n) {
    throw new InputError(
      `Expected as many treated as control values, at least one of each, got ${n} and ${control.length}.`,
    );
  }
  const differences = treated.map((value, i) => value - control[i]);
  return { n, differences, estimate: estimateOf(differences) };
}

function estimateOf(differences: readonly number[]): Estimate | null {
  const n = differences.length;
  if (n < LEAST_PAIRS) return null;
  const center = mean(differences);
  const half = (studentQuantile(0.975, n - 1) * standardDeviation(differences)) / Math.sqrt(n);
  const [low, high] = [center - half, center + half];
  return { mean: center, low, high, distinguishable: half > 1e-12 && (low > 0 || high < 0) };
}
