// Means over seeds, and differences to plain SGD over paired seeds.

import { groupBy } from '../groups/group-by.ts';
import { NO_IDENTITY, type RunIdentity } from '../groups/identity.ts';
import { type PairedDifference, pairedDifference } from '../statistics/paired-difference.ts';
import { mean, standardDeviation } from '../statistics/statistics.ts';
import { formatCsv } from './csv.ts';
import type { ResultRow } from './results.ts';

/** The optimizer that the others are compared with. */
const BASELINE = 'sgd';

/** The columns of summary.csv, in order. */
export const SUMMARY_COLUMNS = [
  'group',
  'dataset',
  'dataset_sha256',
  'model',
  'width',
  'method',
  'distribution',
  'optimizer',
  'agent_prepass',
  'objective',
  'variant',
  'sparsity',
  'attack',
  'attacks',
  'norm',
  'epsilon',
  'attack_seed',
  'n',
  'checkpoint',
  'seeds',
  'clean_accuracy_mean',
  'clean_accuracy_std',
  'robust_accuracy_mean',
  'robust_accuracy_std',
  'nonzeros_mean',
  'flops_mean',
  'bytes_mean',
  'train_seconds_mean',
  'pairs',
  'clean_difference',
  'clean_difference_low',
  'clean_difference_high',
  'robust_difference',
  'robust_difference_low',
  'robust_difference_high',
  'clean_differences',
  'robust_differences',
] as const;

/** What, beside the optimizer and AGENT's own settings, two rows must share to be compared. */
const SETTING = [
  'group',
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
  'attacks',
  'attack_seed',
  'preprocessing',
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

/** Columns of results.csv that say what a network costs. */
export const COST_COLUMNS = ['nonzeros', 'flops', 'bytes', 'train_seconds'] as const;

export type CostColumn = (typeof COST_COLUMNS)[number];

/** The runs of one configuration over its seeds, under one attack. */
export interface SummaryCell {
  /** The first of them: what they share, with the settings beyond its columns that tell it from other cells. */
  readonly setting: ResultRow & Pick<RunIdentity, 'variant'>;
  /** Ascending by seed. */
  readonly rows: readonly ResultRow[];
  readonly clean: MeanAndDeviation;
  readonly robust: MeanAndDeviation;
  /** Means over the seeds; null if one is not known. */
  readonly costs: { readonly [Column in CostColumn]: number | null };
  /** This cell minus that of plain SGD, over the seeds that both have; null if there is no such cell or seed. */
  readonly differences: Differences | null;
}

/** Differences over pairs of equal seeds, in accuracy without and under attack. */
export interface Differences {
  /** The seeds, ascending, one for each pair. */
  readonly seeds: readonly number[];
  readonly clean: PairedDifference;
  readonly robust: PairedDifference;
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
      costs: Object.fromEntries(COST_COLUMNS.map((column) => [column, meanOf(rows, column)])) as SummaryCell['costs'],
      differences: differencesOf(rows, baseline),
    };
  });
}

type AccuracyColumn = 'clean_accuracy' | 'robust_accuracy';

const values = (rows: readonly ResultRow[], column: AccuracyColumn): number[] =>
  rows.map((row) => row[column] ?? Number.NaN);

/** The mean of a column; null if a value of it is not known. */
function meanOf(rows: readonly ResultRow[], column: CostColumn): number | null {
  const known = rows.flatMap((row) => row[column] ?? []);
  return known.length === rows.length ? mean(known) : null;
}

const spread = (rows: readonly ResultRow[], column: AccuracyColumn): MeanAndDeviation => ({
  mean: mean(values(rows, column)),
  deviation: standardDeviation(values(rows, column)),
});

/** Differences of rows of equal seeds; null if no seed is in both. */
export function differencesOf(rows: readonly ResultRow[], baseline: readonly ResultRow[] = []): Differences | null {
  const pairs = rows.flatMap((row) => {
    const control = baseline.find(({ seed }) => seed === row.seed);
    return control ? [{ row, control }] : [];
  });
  if (pairs.length === 0) return null;
  const treated = pairs.map(({ row }) => row);
  const control = pairs.map((pair) => pair.control);
  const difference = (column: AccuracyColumn) => pairedDifference(values(treated, column), values(control, column));
  return {
    seeds: treated.map(({ seed }) => seed ?? 0),
    clean: difference('clean_accuracy'),
    robust: difference('robust_accuracy'),
  };
}

/** Differences by seed, such as `0: -0.012, 1: 0.004`. */
const bySeed = ({ seeds }: Differences, { differences }: PairedDifference): string =>
  seeds.map((seed, i) => `${seed}: ${Number(differences[i].toPrecision(12))}`).join(', ');

/** summary.csv: a row for each cell. Below three pairs there are differences seed by seed only. */
export const formatSummary = (cells: readonly SummaryCell[]): string =>
  formatCsv(
    SUMMARY_COLUMNS,
    cells.map(({ setting, rows, clean, robust, costs, differences }) => ({
      group: setting.group,
      dataset: setting.dataset,
      dataset_sha256: setting.dataset_sha256,
      model: setting.model,
      width: setting.width,
      method: setting.method,
      distribution: setting.distribution,
      optimizer: setting.optimizer,
      agent_prepass: setting.agent_prepass,
      objective: setting.objective,
      variant: setting.variant,
      sparsity: setting.sparsity,
      attack: setting.attack,
      attacks: setting.attacks,
      norm: setting.norm,
      epsilon: setting.epsilon,
      attack_seed: setting.attack_seed,
      n: setting.n,
      checkpoint: setting.checkpoint,
      seeds: rows.length,
      clean_accuracy_mean: clean.mean,
      clean_accuracy_std: clean.deviation,
      robust_accuracy_mean: robust.mean,
      robust_accuracy_std: robust.deviation,
      nonzeros_mean: costs.nonzeros,
      flops_mean: costs.flops,
      bytes_mean: costs.bytes,
      train_seconds_mean: costs.train_seconds,
      pairs: differences?.clean.n ?? null,
      clean_difference: differences?.clean.estimate?.mean ?? null,
      clean_difference_low: differences?.clean.estimate?.low ?? null,
      clean_difference_high: differences?.clean.estimate?.high ?? null,
      robust_difference: differences?.robust.estimate?.mean ?? null,
      robust_difference_low: differences?.robust.estimate?.low ?? null,
      robust_difference_high: differences?.robust.estimate?.high ?? null,
      clean_differences: differences === null ? null : bySeed(differences, differences.clean),
      robust_differences: differences === null ? null : bySeed(differences, differences.robust),
    })),
  );
