// The alarm for robust overfitting: accuracy under attack goes on rising on training images and falls on held-out ones. It
// is a pure function of the rows of metrics.csv, so that training and reports say the same.

import type { MetricRow } from './metrics.ts';

/** How far a run overfits robustly. Accuracies are fractions and means over three epochs in a row. */
export interface RobustOverfitting {
  /** The middle one of the three epochs with the highest robust accuracy on held-out images. */
  readonly bestEpoch: number;
  readonly lastEpoch: number;
  /** Robust accuracy on held-out images at that epoch and at the end. */
  readonly best: number;
  readonly last: number;
  /** Robust accuracy on training images at that epoch and at the end. */
  readonly trainingAtBest: number;
  readonly trainingAtLast: number;
}

type Measured = Pick<MetricRow, 'epoch' | 'train_robust_accuracy' | 'validation_robust_accuracy'>;

/** Epochs that are averaged, so that a single lucky one decides nothing. */
const WINDOW = 3;

/** Smaller changes are not reported, however sure they are. */
const LEAST_CHANGE = 0.02;

/** Changes must be at least this many times their standard error. */
const ERRORS = 3;

/** The standard deviation of a normal number is 1.4826 times the median of its size. */
const PER_MEDIAN = 1.4826;

/**
 * The alarm for robust overfitting (Rice et al. 2020, https://arxiv.org/abs/2002.11569); null if nothing of it is seen.
 * It is raised if, from the epoch of highest robust accuracy on held-out images to the end,
 *
 * - that accuracy falls, and
 * - its distance from robust accuracy on training images grows,
 *
 * each by at least two points and three standard errors. The error is estimated from how the accuracies
 * scatter from epoch to epoch, since they are measured on the same images in every epoch.
 *
 * @param rows of adversarial training, in order of their epochs; those without a measurement are left out. The first rows of
 * a run give the alarm as it was at that time.
 */
export function robustOverfitting(rows: readonly Measured[]): RobustOverfitting | null {
  const measured = measuredEpochs(rows);
  if (!hasEnoughEpochs(rows)) return null;
  const heldOut = measured.map((row) => row.heldOut);
  const training = measured.map((row) => row.training);
  const gap = measured.map((row) => row.training - row.heldOut);
  const end = measured.length - WINDOW;
  const smooth = Array.from({ length: end + 1 }, (_, start) => windowMean(heldOut, start));
  const best = smooth.indexOf(Math.max(...smooth));
  // Windows that overlap share epochs, and say little of each other.
  if (end - best < WINDOW) return null;
  const fall = smooth[best] - smooth[end];
  const growth = windowMean(gap, end) - windowMean(gap, best);
  if (fall < leastChange(heldOut) || growth < leastChange(gap)) return null;
  return {
    bestEpoch: measured[best + (WINDOW - 1) / 2].epoch,
    lastEpoch: measured[measured.length - 1].epoch,
    best: smooth[best],
    last: smooth[end],
    trainingAtBest: windowMean(training, best),
    trainingAtLast: windowMean(training, end),
  };
}

/** True if enough epochs were measured to judge. */
export const hasEnoughEpochs = (rows: readonly Measured[]): boolean => measuredEpochs(rows).length >= 2 * WINDOW;

const measuredEpochs = (rows: readonly Measured[]) =>
  rows.flatMap(({ epoch, train_robust_accuracy: training, validation_robust_accuracy: heldOut }) =>
    epoch === null || training === null || heldOut === null ? [] : [{ epoch, training, heldOut }],
  );

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

/** The alarm in words, with what to do. */
export function describeRobustOverfitting(found: RobustOverfitting): string {
  const { bestEpoch, lastEpoch, best, last, trainingAtBest, trainingAtLast } = found;
  return (
    `Robust overfitting: robust accuracy on held-out images was ${percent(best)} around epoch ${bestEpoch} and is ` +
    `${percent(last)} at epoch ${lastEpoch}, while on training images it went from ${percent(trainingAtBest)} to ` +
    `${percent(trainingAtLast)}. Use the checkpoint best, or train for fewer epochs.`
  );
}

const windowMean = (values: readonly number[], start: number): number =>
  values.slice(start, start + WINDOW).reduce((sum, value) => sum + value, 0) / WINDOW;

/** The smallest change between two windows of these values that counts. */
function leastChange(values: readonly number[]): number {
  // Of values along a straight line with errors of variance σ² the second differences are errors of variance 6 σ², and
  // their median passes over the jump of a learning rate. The difference of two windows' means has 2 σ² / WINDOW.
  const second = values.slice(2).map((value, i) => Math.abs(value - 2 * values[i + 1] + values[i]));
  const deviation = (PER_MEDIAN * median(second)) / Math.sqrt(6);
  return Math.max(LEAST_CHANGE, ERRORS * deviation * Math.sqrt(2 / WINDOW));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
}
