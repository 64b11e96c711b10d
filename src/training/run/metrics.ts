// metrics.csv: its columns, and how its rows are written and read.

import { stringify } from 'csv-stringify/sync';
import { InputError } from '../../core/errors.ts';

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
  /** Accuracies on `measuredImages`, training images without augmentation. */
  'train_clean_accuracy',
  'train_robust_accuracy',
  /** Accuracies on the held-out images. An image is robust if it is right clean and under PGD-10. */
  'validation_clean_accuracy',
  'validation_robust_accuracy',
  /** The validation accuracies of the averaged weights; empty without `ema`. */
  'ema_validation_clean_accuracy',
  'ema_validation_robust_accuracy',
  /** Learning rate of the epoch's last step. */
  'lr',
  /** The coefficient that multiplied u − g̃ (agent: before γ), and the estimate that moved it; empty without. */
  'c',
  'c_hat',
  /** Trace of the covariance of a batch's gradient, without and with correction, and the second over the first. */
  'gradient_variance',
  'gradient_variance_corrected',
  'variance_ratio',
  /** Steps of the epoch's training attack; 0 where a schedule attacks nothing, empty for an objective that never does. */
  'attack_steps',
  /** Lowest accuracy under PGD-10 at the epoch's checks of the guard against collapse; empty without a check. */
  'guard_accuracy',
  /** How often the guard had put the run back before this epoch was trained; empty without a guard. */
  'collapses',
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

/** The figures of one epoch; null for a column that does not apply. */
export type MetricRow = { readonly [Column in MetricColumn]: number | null };

export const METRICS_HEADER = stringify([[...METRIC_COLUMNS]]);

export const formatMetricRow = (row: MetricRow): string => stringify([METRIC_COLUMNS.map((column) => row[column])]);

/** Columns that hold a share of something. */
const isShare = (column: MetricColumn): boolean =>
  column.endsWith('_accuracy') || column === 'sparsity' || column === 'rs' || column === 'attack_share';

/** Columns that hold a whole number. */
const isCount = (column: MetricColumn): boolean =>
  column === 'epoch' || column === 'step' || column === 'attack_steps' || column === 'collapses';

/**
 * The rows of a metrics.csv. What follows the last line break was cut off by a crash and is left out; columns that the file
 * lacks, as those of another version do, are null.
 *
 * @param source what messages call the file, such as its path
 * @throws InputError that names the file, the line and the column that is wrong
 */
export function parseMetrics(text: string, source: string): MetricRow[] {
  const lines = text.split(/\r?\n/).slice(0, -1);
  if (lines.length === 0) return [];
  const header = lines[0].split(',');
  if (!header.includes('epoch')) {
    throw new InputError(`${source}, line 1: expected a header with the column epoch, got ${lines[0].slice(0, 80)}.`);
  }
  return lines.slice(1).map((line, i) => {
    const place = `${source}, line ${i + 2}`;
    const row = parseRow(line, header, place);
    if (row.epoch !== i + 1) {
      throw new InputError(
        `${place}, column epoch: expected epoch ${i + 1}, got ${row.epoch}. Epochs are 1, 2, 3 and so on.`,
      );
    }
    return row;
  });
}

/** @param place what messages call the line */
function parseRow(line: string, header: readonly string[], place: string): MetricRow {
  const cells = line.split(',');
  if (cells.length !== header.length) {
    throw new InputError(`${place}: expected ${header.length} cells, got ${cells.length}.`);
  }
  const at = (column: string) => `${place}, column ${column}`;
  return Object.fromEntries(
    METRIC_COLUMNS.map((column) => [column, parseCell(cells[header.indexOf(column)] ?? '', column, at)]),
  ) as MetricRow;
}

/** Rows of metrics.csv as text, one for each epoch. */
export interface MendedRows {
  readonly rows: readonly string[];
  /** How many rows are empty but for their epoch, since the file has none that is whole. */
  readonly lost: number;
}

/**
 * The rows of the first epochs as a metrics.csv should have them, from one that a crash may have damaged. A row that is
 * not whole is lost; of several rows of an epoch the last is taken.
 */
export function rowsUpTo(epochs: number, text: string): MendedRows {
  const whole = new Map(
    text
      .split(/\r?\n/)
      .slice(1, -1)
      .flatMap((line) => {
        const epoch = epochOf(line);
        return epoch === null ? [] : [[epoch, line] as const];
      }),
  );
  const rows = Array.from({ length: epochs }, (_, i) => whole.get(i + 1) ?? emptyRow(i + 1));
  return { rows, lost: rows.filter((_, i) => !whole.has(i + 1)).length };
}

/** The epoch of a row; null if the row is not whole. */
function epochOf(line: string): number | null {
  try {
    return parseRow(line, METRIC_COLUMNS, 'metrics.csv').epoch;
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}

const emptyRow = (epoch: number): string => METRIC_COLUMNS.map((column) => (column === 'epoch' ? epoch : '')).join(',');

const NUMBER = /^-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;

function parseCell(cell: string, column: MetricColumn, at: (column: string) => string): number | null {
  if (cell === '') return null;
  // A ratio of variances may be infinite or 0 / 0.
  const value = NUMBER.test(cell) || /^(NaN|-?Infinity)$/.test(cell) ? Number(cell) : undefined;
  const expected = isCount(column) ? 'a whole number from 0' : isShare(column) ? 'a fraction from 0 to 1' : 'a number';
  const fits =
    value !== undefined &&
    (!isCount(column) || (Number.isSafeInteger(value) && value >= 0)) &&
    (!isShare(column) || (value >= 0 && value <= 1));
  if (!fits) throw new InputError(`${at(column)}: expected ${expected}, got ${cell.slice(0, 40)}.`);
  return value;
}
