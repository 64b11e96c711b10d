// The settings of AGENT that answer its failures: the runs with and without each, and the tables of what they did.

import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { pairedDifference } from '../../src/reporting/statistics/paired-difference.ts';
import { mean, standardDeviation } from '../../src/reporting/statistics/statistics.ts';
import { formatPoints, percent } from '../../src/reporting/tables/table.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import { configHash, parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { median } from '../bench/statistics.ts';
import { QUICKSTART } from '../quickstart-settings.ts';

/** The setting of the quickstart at its highest sparsity. */
const DIGITS: TrainOptions = { ...QUICKSTART, sparsity: 0.99 };

export const CELLS = {
  digits: { title: 'mask update every 19 steps', settings: {} },
  /** An epoch has 50 steps, so every second update falls right before a snapshot. */
  aligned: { title: 'mask update every 25 steps, also right before snapshots', settings: { updateInterval: 25 } },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

export type CellName = keyof typeof CELLS;

export const ARMS = {
  sgd: { title: 'SGD', settings: { optimizer: 'sgd' } },
  published: { title: '`published`', settings: { optimizer: 'agent' } },
  matched: { title: '`matched`', settings: { optimizer: 'agent', agentPrepass: 'matched' } },
  stable: { title: '`stable`', settings: { optimizer: 'agent', agentVariant: 'stable' } },
  'bounds-2': { title: 'ĉ within [−2, 2]', settings: { optimizer: 'agent', agentBounds: [-2, 2] } },
  'bounds-1': { title: 'ĉ within [0, 1]', settings: { optimizer: 'agent', agentBounds: [0, 1] } },
  'first-2': { title: 'corrected from epoch 2', settings: { optimizer: 'agent', agentFirstEpoch: 2 } },
  'delay-5': { title: 'snapshot 5 steps behind updates', settings: { optimizer: 'agent', agentSnapshotDelay: 5 } },
  empty: {
    title: 'empty channels uncorrected',
    settings: { optimizer: 'agent', agentEmptyChannels: 'uncorrected' },
  },
  fixed: { title: 'SGD, fixed batches', settings: { optimizer: 'sgd', fixedBatches: true } },
  memory: { title: '`memory`', settings: { optimizer: 'agent', agentPrepass: 'memory' } },
  'memory-gradients': {
    title: '`memory`, γ 1, c from gradients within [0, 1]',
    settings: {
      ...{ optimizer: 'agent', agentPrepass: 'memory', agentGamma: 1 },
      ...{ agentCoefficient: 'gradients', agentBounds: [0, 1] },
    },
  },
  'memory-parameters': {
    title: '`memory`, γ 1, c for each parameter within [0, 1]',
    settings: {
      ...{ optimizer: 'agent', agentPrepass: 'memory', agentGamma: 1 },
      ...{ agentCoefficient: 'per-parameter', agentBounds: [0, 1] },
    },
  },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

export type ArmName = keyof typeof ARMS;

/** One setting, with and without. */
interface Comparison {
  readonly cell: CellName;
  readonly arm: ArmName;
  readonly against: ArmName;
}

/** What is made together. */
export type Part = 'quickstart' | 'settings' | 'memory';

/** The seeds of a part, from 0. */
const SEEDS: Readonly<Record<Part, number>> = { quickstart: 10, settings: 5, memory: 5 };

const COMPARISONS: Readonly<Record<Part, Readonly<Record<string, readonly Comparison[]>>>> = {
  quickstart: {
    'The quickstart at 99 %, against SGD': [
      { cell: 'digits', arm: 'published', against: 'sgd' },
      { cell: 'digits', arm: 'matched', against: 'sgd' },
      { cell: 'digits', arm: 'stable', against: 'sgd' },
    ],
  },
  settings: {
    'Pre-pass': [{ cell: 'digits', arm: 'matched', against: 'published' }],
    'Bounds on ĉ': [
      { cell: 'digits', arm: 'bounds-2', against: 'published' },
      { cell: 'digits', arm: 'bounds-1', against: 'published' },
    ],
    'First corrected epoch': [{ cell: 'digits', arm: 'first-2', against: 'published' }],
    'Steps between mask update and snapshot': [{ cell: 'aligned', arm: 'delay-5', against: 'published' }],
    'Channels all zero at the snapshot': [{ cell: 'aligned', arm: 'empty', against: 'published' }],
    'All of them': [
      { cell: 'digits', arm: 'stable', against: 'published' },
      { cell: 'aligned', arm: 'stable', against: 'published' },
      { cell: 'aligned', arm: 'published', against: 'sgd' },
      { cell: 'aligned', arm: 'stable', against: 'sgd' },
    ],
  },
  memory: {
    'Remembered gradients, against SGD with fixed batches': [
      { cell: 'digits', arm: 'memory', against: 'fixed' },
      { cell: 'digits', arm: 'memory-gradients', against: 'fixed' },
      { cell: 'digits', arm: 'memory-parameters', against: 'fixed' },
    ],
  },
};

const MOST_SEEDS = Math.max(...Object.values(SEEDS));

export const partNames = Object.keys(COMPARISONS) as readonly Part[];

const nameOf = (cell: CellName, arm: ArmName, seed: number): string => `${cell}-${arm}-seed${seed}`;

/** Every run of some parts, seed by seed, so that tables of a study that was stopped are balanced. */
export function plannedJobs(parts: readonly Part[]): Job[] {
  const jobs = new Map<string, Job>();
  for (let seed = 0; seed < MOST_SEEDS; seed++) {
    const comparisons = parts
      .filter((part) => seed < SEEDS[part])
      .flatMap((part) => Object.values(COMPARISONS[part]).flat());
    for (const { cell, arm, against } of comparisons) {
      for (const each of [against, arm]) {
        const config = parseConfig({ ...DIGITS, ...CELLS[cell].settings, ...ARMS[each].settings, seed });
        const name = nameOf(cell, each, seed);
        jobs.set(name, { id: configHash(config), name, config });
      }
    }
  }
  return [...jobs.values()];
}

/** The accuracies of a run, as fractions. */
interface Outcome {
  readonly clean: number;
  readonly robust: number;
  /** Corrected over plain variance, by epoch, where it was measured. */
  readonly ratios: readonly number[];
  readonly estimates: readonly number[];
}

function outcomeOf({ evaluations, metrics }: RunRecord): Outcome | null {
  const last = evaluations.find(({ target }) => target.checkpoint === 'last');
  const attack = last?.attacks[0];
  if (last === undefined || attack === undefined) return null;
  const column = (name: 'variance_ratio' | 'c_hat') => metrics.flatMap((row) => row[name] ?? []);
  return {
    clean: last.clean.value,
    robust: attack.robust.value,
    ratios: column('variance_ratio'),
    estimates: column('c_hat'),
  };
}

type Outcomes = ReadonlyMap<string, Outcome>;

export const outcomesOf = (records: readonly RunRecord[]): Outcomes =>
  new Map(
    records.flatMap((record) => {
      const outcome = outcomeOf(record);
      return outcome ? [[record.name, outcome] as const] : [];
    }),
  );

const pairsOf = (outcomes: Outcomes, { cell, arm, against }: Comparison) =>
  Array.from({ length: MOST_SEEDS }, (_, seed) => {
    const [treated, control] = [arm, against].map((name) => outcomes.get(nameOf(cell, name, seed)));
    return treated && control ? [{ treated, control }] : [];
  }).flat();

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const number = (value: number): string =>
  Number.isNaN(value) ? '–' : String(Number(value.toPrecision(3))).replace('-', '−');

/** The difference in points: the mean with its 95 % t interval over pairs, or each pair if there are fewer than three. */
function difference(pairs: ReturnType<typeof pairsOf>, which: 'clean' | 'robust'): string {
  const [treated, control] = (['treated', 'control'] as const).map((side) => pairs.map((pair) => pair[side][which]));
  return formatPoints(pairedDifference(treated, control));
}

const largest = (values: readonly number[]): number => (values.length === 0 ? Number.NaN : Math.max(...values));
const range = (values: readonly number[]): string =>
  values.length === 0 ? '–' : `${number(Math.min(...values))} to ${number(Math.max(...values))}`;

function comparisonRow(outcomes: Outcomes, comparison: Comparison): string[] {
  const { cell, arm, against } = comparison;
  const pairs = pairsOf(outcomes, comparison);
  const row = [CELLS[cell].title, ARMS[arm].title, ARMS[against].title, String(pairs.length)];
  if (pairs.length === 0) return [...row, '–', '–', '–', '–', '–'];
  const ratios = (side: 'treated' | 'control') => pairs.flatMap((pair) => pair[side].ratios);
  const both = (f: (side: 'treated' | 'control') => string) => `${f('treated')}; ${f('control')}`;
  return [
    ...row,
    difference(pairs, 'robust'),
    difference(pairs, 'clean'),
    both((side) => number(ratios(side).length === 0 ? Number.NaN : median(ratios(side)))),
    both((side) => number(largest(ratios(side)))),
    both((side) => range(pairs.flatMap((pair) => pair[side].estimates))),
  ];
}

const spread = (values: readonly number[]): string =>
  values.length < 2 ? percent(mean(values)) : `${percent(mean(values))} ± ${percent(standardDeviation(values))}`;

function armRows(outcomes: Outcomes): string[][] {
  return (Object.keys(CELLS) as CellName[]).flatMap((cell) =>
    (Object.keys(ARMS) as ArmName[]).flatMap((arm) => {
      const found = Array.from({ length: MOST_SEEDS }, (_, seed) => outcomes.get(nameOf(cell, arm, seed)) ?? []).flat();
      if (found.length === 0) return [];
      const accuracy = (which: 'clean' | 'robust') => spread(found.map((outcome) => outcome[which]));
      return [[CELLS[cell].title, ARMS[arm].title, String(found.length), accuracy('clean'), accuracy('robust')]];
    }),
  );
}

/** The tables of some parts in Markdown. */
export function settingsSection(outcomes: Outcomes, parts: readonly Part[]): string {
  const header = [
    'cell',
    'with',
    'without',
    'pairs',
    'robust, points',
    'clean, points',
    'median variance ratio',
    'largest variance ratio',
    'ĉ',
  ];
  const tables = parts
    .flatMap((part) => Object.entries(COMPARISONS[part]))
    .map(
      ([title, comparisons]) =>
        `#### ${title}\n\n${table(
          header,
          comparisons.map((comparison) => comparisonRow(outcomes, comparison)),
        )}`,
    );
  const arms = table(['cell', 'training', 'seeds', 'clean, %', 'robust, %'], armRows(outcomes));
  return [...tables, `#### All arms\n\n${arms}`].join('\n\n');
}
