// The comparisons behind the recipe `fast`: a small network, the recipe as it is and with one setting changed, and what each
// reached on held-out training images. The test images are never used.

import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { percent } from '../../src/reporting/tables/table.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import { configHash, parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import type { MetricColumn } from '../../src/training/run/metrics.ts';

/** The network and the images of every run. */
const SMALL = { recipe: 'fast', dataset: 'cifar10', width: 0.25, trainLimit: 20_000, epochs: 6, seed: 0 } as const;

/** The recipe, and the recipe with a change. */
export const FAST_ARMS = {
  recipe: { title: 'the recipe', settings: {} },
  'lr-0.2': { title: 'learning rate 0.2', settings: { lr: 0.2 } },
  'rs-fgsm': { title: '`rs-fgsm`', settings: { trainingAttack: 'rs-fgsm' } },
  erk: { title: 'ERK, as many epochs', settings: { distribution: 'erk' } },
  // ERK takes twice the multiply-adds in this network.
  'erk-short': { title: 'ERK, as many multiply-adds', settings: { distribution: 'erk', epochs: 3 } },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

type Arm = keyof typeof FAST_ARMS;

const PARTS = {
  'learning-rate': ['recipe', 'lr-0.2'],
  attack: ['recipe', 'rs-fgsm'],
  distribution: ['recipe', 'erk-short', 'erk'],
} as const satisfies Record<string, readonly Arm[]>;

export type FastPart = keyof typeof PARTS;

export const fastParts = Object.keys(PARTS) as readonly FastPart[];

const nameOf = (arm: Arm): string => `${arm}-seed${SMALL.seed}`;

/** The runs of some parts, each once. */
export function fastJobs(parts: readonly FastPart[]): Job[] {
  const arms = new Set<Arm>(parts.flatMap((part): readonly Arm[] => PARTS[part]));
  return [...arms].map((arm) => {
    const config = parseConfig({ ...SMALL, ...FAST_ARMS[arm].settings });
    return { id: configHash(config), name: nameOf(arm), config };
  });
}

const HEADER = ['training', 'epochs', '10¹² multiply-adds', 'raw: clean', 'PGD-10', 'averaged: clean', 'PGD-10'];

const MEASURES = [
  'validation_clean_accuracy',
  'validation_robust_accuracy',
  'ema_validation_clean_accuracy',
  'ema_validation_robust_accuracy',
] as const satisfies readonly MetricColumn[];

/** A run by its last epoch; null if it has not come to its end. */
function rowOf(arm: Arm, records: readonly RunRecord[]): string[] | null {
  const record = records.find(({ name }) => name === nameOf(arm));
  const last = record?.metrics[record.config.epochs - 1];
  if (record === undefined || last === undefined) return null;
  return [
    FAST_ARMS[arm].title,
    String(record.config.epochs),
    ((last.flops ?? Number.NaN) / 1e12).toFixed(2),
    ...MEASURES.map((column) => `${percent(last[column] ?? Number.NaN)} %`),
  ];
}

/** The tables of some parts in Markdown, of the runs that are done. */
export function fastSection(records: readonly RunRecord[], parts: readonly FastPart[]): string {
  const arms = new Set<Arm>(parts.flatMap((part): readonly Arm[] => PARTS[part]));
  const rows = [...arms].flatMap((arm) => [rowOf(arm, records) ?? []].filter((row) => row.length > 0));
  return [HEADER, HEADER.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}
