import { type Cell, formatCsv } from './csv.ts';
import { groupBy } from './group-by.ts';
import { NO_IDENTITY, type RunIdentity } from './identity.ts';
import type { ResultRow } from './results.ts';
import { mean, type PairedDifference, pairedDifference, standardDeviation } from './statistics.ts';

/** Below this many paired seeds summary.csv leaves differences out. */
const LEAST_PAIRS = 3;

/** The optimizer that the others are compared with. */
const BASELINE = 'sgd';

/** The columns of summary.csv, in order. */
export const SUMMARY_COLUMNS = [
  'dataset',
  'model',
  'method',
  'optimizer',
  'objective',
  'sparsity',
  'attack',
  'epsilon',
  'checkpoint',
  'seeds',
  'clean_accuracy_mean',
  'clean_accuracy_std',
  'robust_accuracy_mean',
  'robust_accuracy_std',
  'clean_difference',
  'clean_difference_low',
  'clean_difference_high',
  'robust_difference',
  'robust_difference_low',
  'robust_difference_high',
] as const;

/** What, beside the optimizer and AGENT's own settings, two rows must share to be compared. */
const SETTING = [
  'dataset',
  'dataset_sha256',
  'split',
  'model',
  'width',
  'method',
  'distribution',
  'objective',
  'sparsity',
  'checkpoint',
  'attack',
  'norm',
  'epsilon',
  'steps',
  'step_size',
  'restarts',
  'attack_seed',
  'n',
] as const satisfies readonly (keyof ResultRow)[];

/** What two rows must share to be averaged: everything but the seed. */
const CELL = [
  ...SETTING,
  'optimizer',
  'agent_prepass',
  'gamma',
  'alpha',
] as const satisfies readonly (keyof ResultRow)[];

/** The runs of one configuration over its seeds, under one attack. */
export interface SummaryCell {
  /** The first of them: what they share, with the settings beyond its columns that tell it from other cells. */
  readonly setting: ResultRow & Pick<RunIdentity, 'variant'>;
  /** Ascending by seed. */
  readonly rows: readonly ResultRow[];
  readonly clean: MeanAndDeviation;
  readonly robust: MeanAndDeviation;
  /** This cell minus that of plain SGD, over the seeds that both have; null where there is no such cell or seed. */
  readonly cleanDifference: PairedDifference | null;
  readonly robustDifference: PairedDifference | null;
}

export interface MeanAndDeviation {
  readonly mean: number;
  /** NaN for a single seed. */
  readonly deviation: number;
}

const keyOf = (row: ResultRow, columns: readonly (keyof ResultRow)[], further: string): string =>
  JSON.stringify([further, ...columns.map((column) => row[column])]);

/**
 * Means over seeds and differences to plain SGD, in order of first appearance.
 *
 * @param identities of the runs, by name: settings that have no column of their own are told apart by these
 */
export function summarize(
  results: readonly ResultRow[],
  identities: ReadonlyMap<string, RunIdentity> = new Map(),
): SummaryCell[] {
  const identityOf = ({ run }: ResultRow): RunIdentity => identities.get(run) ?? NO_IDENTITY;
  const pairKey = (row: ResultRow): string => keyOf(row, SETTING, identityOf(row).paired);
  const cells = groupBy(results, (row) => keyOf(row, CELL, identityOf(row).repeated)).map((rows) =>
    rows.toSorted((a, b) => (a.seed ?? 0) - (b.seed ?? 0)),
  );
  const baselines = new Map(
    cells.filter(([row]) => row.optimizer === BASELINE).map((rows) => [pairKey(rows[0]), rows]),
  );
  return cells.map((rows) => {
    const setting = { ...rows[0], variant: identityOf(rows[0]).variant };
    const baseline = setting.optimizer === BASELINE ? undefined : baselines.get(pairKey(setting));
    return {
      setting,
      rows,
      clean: spread(rows, 'clean_accuracy'),
      robust: spread(rows, 'robust_accuracy'),
      cleanDifference: difference(rows, baseline, 'clean_accuracy'),
      robustDifference: difference(rows, baseline, 'robust_accuracy'),
    };
  });
}

type AccuracyColumn = 'clean_accuracy' | 'robust_accuracy';

const values = (rows: readonly ResultRow[], column: AccuracyColumn): number[] =>
  rows.map((row) => row[column] ?? Number.NaN);

const spread = (rows: readonly ResultRow[], column: AccuracyColumn): MeanAndDeviation => ({
  mean: mean(values(rows, column)),
  deviation: standardDeviation(values(rows, column)),
});

function difference(
  rows: readonly ResultRow[],
  baseline: readonly ResultRow[] | undefined,
  column: AccuracyColumn,
): PairedDifference | null {
  const pairs = rows.flatMap((row) => {
    const control = baseline?.find(({ seed }) => seed === row.seed);
    return control ? [{ row, control }] : [];
  });
  if (pairs.length === 0) return null;
  return pairedDifference(
    values(
      pairs.map(({ row }) => row),
      column,
    ),
    values(
      pairs.map(({ control }) => control),
      column,
    ),
  );
}

/** summary.csv: a row a cell; differences are empty below three paired seeds. */
export const formatSummary = (cells: readonly SummaryCell[]): string =>
  formatCsv(
    SUMMARY_COLUMNS,
    cells.map(({ setting, rows, clean, robust, cleanDifference, robustDifference }) => {
      const shown = (d: PairedDifference | null, part: 'mean' | 'low' | 'high'): Cell =>
        d !== null && d.n >= LEAST_PAIRS ? d[part] : null;
      return {
        dataset: setting.dataset,
        model: setting.model,
        method: setting.method,
        optimizer: setting.optimizer,
        objective: setting.objective,
        sparsity: setting.sparsity,
        attack: setting.attack,
        epsilon: setting.epsilon,
        checkpoint: setting.checkpoint,
        seeds: rows.length,
        clean_accuracy_mean: clean.mean,
        clean_accuracy_std: clean.deviation,
        robust_accuracy_mean: robust.mean,
        robust_accuracy_std: robust.deviation,
        clean_difference: shown(cleanDifference, 'mean'),
        clean_difference_low: shown(cleanDifference, 'low'),
        clean_difference_high: shown(cleanDifference, 'high'),
        robust_difference: shown(robustDifference, 'mean'),
        robust_difference_low: shown(robustDifference, 'low'),
        robust_difference_high: shown(robustDifference, 'high'),
      };
    }),
  );
