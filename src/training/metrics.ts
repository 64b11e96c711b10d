// metrics.csv: its columns, and its rows as text.
import { stringify } from 'csv-stringify/sync';

/**
 * The columns of metrics.csv, in order: one row a completed epoch. Accuracies are fractions. The cost columns and
 * `seconds` are sums from the start of the run to the end of the epoch, counted in images; they cover training, its
 * attacks and its pre-passes, not validation.
 */
export const METRIC_COLUMNS = [
  /** Epochs completed, from 1. */
  'epoch',
  /** Optimizer steps done. */
  'step',
  /** Mean of the objective over the epoch's batches. */
  'train_loss',
  /** Mean cross-entropy of the validation images, clean and attacked. */
  'validation_loss',
  'validation_robust_loss',
  /** On up to 256 of the training images, as many of each class, not augmented. */
  'train_clean_accuracy',
  'train_robust_accuracy',
  /** On the held-out images; robust: right when clean and under PGD-10. */
  'validation_clean_accuracy',
  'validation_robust_accuracy',
  /** Learning rate of the epoch's last step. */
  'lr',
  /** The coefficient that multiplied u − g̃ (agent: before γ), and the estimate that moved it; empty without. */
  'c',
  'c_hat',
  /** Trace of the covariance of a batch's gradient, without and with correction, and the second over the first. */
  'gradient_variance',
  'gradient_variance_corrected',
  'variance_ratio',
  /** 1 − nonzeros / size over all kernels. */
  'sparsity',
  /** Share of the weights of the sparse kernels that were active at any time. */
  'rs',
  'forward_passes',
  'input_gradients',
  'weight_gradients',
  /** Multiply-adds at the nonzeros. */
  'flops',
  'seconds',
  /** Share of the epoch's seconds that its attacks took. */
  'attack_share',
] as const;

export type MetricColumn = (typeof METRIC_COLUMNS)[number];

/** One epoch's figures; null is what does not apply. */
export type MetricRow = { readonly [Column in MetricColumn]: number | null };

export const METRICS_HEADER = stringify([[...METRIC_COLUMNS]]);

export const formatMetricRow = (row: MetricRow): string => stringify([METRIC_COLUMNS.map((column) => row[column])]);

/**
 * The whole rows of a metrics.csv up to an epoch, one for each epoch, in order. Rows that were cut off by a crash, and
 * earlier rows of an epoch that is there twice, are left out.
 */
export function rowsUpTo(epoch: number, text: string): string[] {
  const rows = text
    .split('\n')
    .slice(1)
    .flatMap((row) => {
      const cells = row.split(',');
      const number = Number(cells[0]);
      const whole = cells.length === METRIC_COLUMNS.length && Number.isInteger(number) && number >= 1;
      return whole && number <= epoch ? [[number, row] as const] : [];
    });
  return [...new Map(rows)].sort(([a], [b]) => a - b).map(([, row]) => row);
}

/** The last row of a metrics.csv; null if it has none. */
export function parseLastRow(text: string): MetricRow | null {
  const cells = rowsUpTo(Number.POSITIVE_INFINITY, text).at(-1)?.split(',');
  if (cells === undefined) return null;
  return Object.fromEntries(
    METRIC_COLUMNS.map((column, i) => [column, cells[i] === '' ? null : Number(cells[i])]),
  ) as MetricRow;
}
