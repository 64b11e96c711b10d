// The settings of AGENT that answer its failures: the runs with and without each, and the tables of what they did.

import type { AttackSpec } from '../../src/evaluation/attacks/named-attacks.ts';
import { formatPoints } from '../../src/reporting/tables/table.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { median } from '../bench/statistics.ts';
import { spread, table } from './format.ts';
import { type Comparison, differenceOf, type Outcomes, outcomesOfArm, pairsOf, plannedRuns } from './paired.ts';

/** The setting that the quickstart had at its highest sparsity when the questions arose. */
const DIGITS: TrainOptions = {
  dataset: 'mnist10k',
  model: 'cnn',
  width: 0.5,
  sparsity: 0.99,
  method: 'rigl',
  // No divisor of the epoch's 50 steps: AGENT's snapshots should not fall right behind a mask update.
  updateInterval: 19,
  objective: 'at',
  norm: 'linf',
  epsilon: 0.1,
  steps: 7,
  stepSize: 0.025,
  epochs: 6,
  batchSize: 32,
  lr: 0.1,
  trainLimit: 1600,
};

/** What every run is measured by, on this many test images. */
export const ATTACK = { kind: 'pgd', steps: 20, restarts: 2, loss: 'ce' } as const satisfies AttackSpec;
export const TEST_IMAGES = 500;

export const CELLS = {
  digits: { title: 'mask update every 19 steps', settings: DIGITS },
  /** An epoch has 50 steps, so every second update falls right before a snapshot. */
  aligned: {
    title: 'mask update every 25 steps, also right before snapshots',
    settings: { ...DIGITS, updateInterval: 25 },
  },
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

/** What is made together. */
export type Part = 'quickstart' | 'settings' | 'memory';

/** The seeds of a part, from 0. */
const SEEDS: Readonly<Record<Part, number>> = { quickstart: 10, settings: 5, memory: 5 };

const COMPARISONS: Readonly<Record<Part, Readonly<Record<string, readonly Comparison<CellName, ArmName>[]>>>> = {
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

export const partNames = Object.keys(COMPARISONS) as readonly Part[];

/** Every run of some parts, seed by seed, so that tables of a study that was stopped are balanced. */
export const plannedJobs = (parts: readonly Part[]): Job[] =>
  plannedRuns(
    { cells: CELLS, arms: ARMS },
    parts.map((part) => ({ seeds: SEEDS[part], comparisons: Object.values(COMPARISONS[part]).flat() })),
  );

const number = (value: number): string =>
  Number.isNaN(value) ? '–' : String(Number(value.toPrecision(3))).replace('-', '−');

const largest = (values: readonly number[]): number => (values.length === 0 ? Number.NaN : Math.max(...values));
const range = (values: readonly number[]): string =>
  values.length === 0 ? '–' : `${number(Math.min(...values))} to ${number(Math.max(...values))}`;

function comparisonRow(outcomes: Outcomes, comparison: Comparison<CellName, ArmName>): string[] {
  const { cell, arm, against } = comparison;
  const pairs = pairsOf(outcomes, comparison);
  const row = [CELLS[cell].title, ARMS[arm].title, ARMS[against].title, String(pairs.length)];
  if (pairs.length === 0) return [...row, '–', '–', '–', '–', '–'];
  const ratios = (side: 'treated' | 'control') => pairs.flatMap((pair) => pair[side].ratios);
  const both = (f: (side: 'treated' | 'control') => string) => `${f('treated')}; ${f('control')}`;
  return [
    ...row,
    formatPoints(differenceOf(pairs, ({ raw }) => raw.robust)),
    formatPoints(differenceOf(pairs, ({ raw }) => raw.clean)),
    both((side) => number(ratios(side).length === 0 ? Number.NaN : median(ratios(side)))),
    both((side) => number(largest(ratios(side)))),
    both((side) => range(pairs.flatMap((pair) => pair[side].estimates))),
  ];
}

function armRows(outcomes: Outcomes): string[][] {
  return (Object.keys(CELLS) as CellName[]).flatMap((cell) =>
    (Object.keys(ARMS) as ArmName[]).flatMap((arm) => {
      const found = outcomesOfArm(outcomes, cell, arm);
      if (found.length === 0) return [];
      const accuracy = (which: 'clean' | 'robust') => spread(found.map(({ raw }) => raw[which]));
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
