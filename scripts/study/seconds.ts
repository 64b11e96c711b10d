// Seconds to robust accuracy: with sparse masks, how much robust accuracy one attack step gives in a training time, against PGD-10.
// docs/fast-plan.md says in words what stands here.

import type { AttackSpec } from '../../src/evaluation/attacks/named-attacks.ts';
import { mean } from '../../src/reporting/statistics/statistics.ts';
import { formatPoints, signed } from '../../src/reporting/tables/table.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { spread, table } from './format.ts';
import { type Comparison, differenceOf, type Outcomes, outcomesOfArm, pairsOf, plannedRuns } from './paired.ts';
import type { Accuracies, Outcome } from './paired-outcome.ts';

/** What every run is measured by, on this many test images. */
export const ATTACK = { kind: 'pgd', steps: 50, restarts: 10, loss: 'ce' } as const satisfies AttackSpec;
export const TEST_IMAGES = 1000;

/** As many whole epochs of PGD-10 as take the seconds of 15 epochs of N-FGSM or more. */
const SHORT_EPOCHS = 4;

export const CELLS = {
  half: {
    title: 'VGG16 ×0.5, RigL 95 %',
    settings: { recipe: 'fast', dataset: 'cifar10', width: 0.5, sparsity: 0.95, epochs: 15 },
  },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

const PGD = { trainingAttack: 'pgd', steps: 10, stepSize: 2 / 255 } as const;

export const ARMS = {
  'pgd-10': { title: 'PGD-10', settings: PGD },
  'pgd-10-short': { title: `PGD-10, ${SHORT_EPOCHS} epochs`, settings: { ...PGD, epochs: SHORT_EPOCHS } },
  'rs-fgsm': { title: 'RS-FGSM', settings: { trainingAttack: 'rs-fgsm' } },
  'n-fgsm': { title: 'N-FGSM', settings: { trainingAttack: 'n-fgsm' } },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

type ArmName = keyof typeof ARMS;

const SEEDS = 3;

/** The first two are primary: at equal epochs, and at equal seconds. */
const COMPARISONS: readonly Comparison<'half', ArmName>[] = [
  { cell: 'half', arm: 'n-fgsm', against: 'pgd-10' },
  { cell: 'half', arm: 'n-fgsm', against: 'pgd-10-short' },
  { cell: 'half', arm: 'rs-fgsm', against: 'pgd-10' },
  { cell: 'half', arm: 'rs-fgsm', against: 'pgd-10-short' },
];

/** Every run, seed by seed, so that tables of a study that was stopped are balanced. */
export const plannedJobs = (): Job[] =>
  plannedRuns({ cells: CELLS, arms: ARMS }, [{ seeds: SEEDS, comparisons: COMPARISONS }]);

const averagedOf = ({ averaged, raw }: Outcome): Accuracies => averaged ?? raw;

function comparisonRow(outcomes: Outcomes, comparison: Comparison<'half', ArmName>): string[] {
  const pairs = pairsOf(outcomes, comparison);
  const difference = (which: 'clean' | 'robust') =>
    pairs.length === 0 ? '–' : formatPoints(differenceOf(pairs, (outcome) => averagedOf(outcome)[which]));
  return [
    ARMS[comparison.arm].title,
    ARMS[comparison.against].title,
    `${pairs.length} of ${SEEDS}`,
    difference('robust'),
    difference('clean'),
  ];
}

function armRow(outcomes: Outcomes, arm: ArmName): string[] {
  const found = outcomesOfArm(outcomes, 'half', arm);
  const accuracy = (of: (outcome: Outcome) => number) => spread(found.map(of));
  const gain = found.map((outcome) => averagedOf(outcome).robust - outcome.raw.robust);
  return [
    ARMS[arm].title,
    String(found.length),
    (mean(found.map(({ multiplyAdds }) => multiplyAdds)) / 1e12).toFixed(1),
    accuracy(({ raw }) => raw.clean),
    accuracy(({ raw }) => raw.robust),
    accuracy((outcome) => averagedOf(outcome).clean),
    accuracy((outcome) => averagedOf(outcome).robust),
    signed(mean(gain)),
    String(found.reduce((sum, { collapses }) => sum + collapses, 0)),
  ];
}

const ARM_HEADER = [
  ...['training', 'seeds', '10¹² multiply-adds', 'raw: clean, %', 'PGD-50×10, %'],
  ...['averaged: clean, %', 'PGD-50×10, %', 'averaged − raw, points', 'put back'],
];

/** The tables in Markdown, of the runs that are done. Below three pairs an interval says nothing. */
export function secondsSection(outcomes: Outcomes): string {
  const arms = (Object.keys(ARMS) as ArmName[]).filter((arm) => outcomesOfArm(outcomes, 'half', arm).length > 0);
  return [
    `#### Differences, by averaged weights\n\n${table(
      ['training', 'against', 'pairs', 'PGD-50×10, points', 'clean, points'],
      COMPARISONS.map((comparison) => comparisonRow(outcomes, comparison)),
    )}`,
    `#### All arms\n\n${table(
      ARM_HEADER,
      arms.map((arm) => armRow(outcomes, arm)),
    )}`,
  ].join('\n\n');
}
