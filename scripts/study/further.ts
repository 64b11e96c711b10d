// The second part of the study of AGENT: standard training, where the paper makes half of its claim, and adversarial training of a
// larger network. docs/study-plan.md says in words what stands here, and why.

import { LEAST_PAIRS } from '../../src/reporting/statistics/paired-difference.ts';
import { mean } from '../../src/reporting/statistics/statistics.ts';
import { firstSustained } from '../../src/reporting/tables/epochs-to-accuracy.ts';
import { formatPoints } from '../../src/reporting/tables/table.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { median } from '../bench/statistics.ts';
import { probability, spread, table } from './format.ts';
import { type Comparison, differenceOf, type Outcomes, outcomesOfArm, pairsOf, plannedRuns } from './paired.ts';
import type { Outcome } from './paired-outcome.ts';
import { ALPHA, adjustedByHolm, pairedTest, verdictOf } from './paired-test.ts';

/** What all runs share. */
const SHARED = {
  dataset: 'cifar10',
  model: 'vgg16',
  distribution: 'uniform',
  batchSize: 128,
  lr: 0.1,
  schedule: 'cosine',
  momentum: 0.9,
  weightDecay: 5e-4,
  augment: 'shift-flip',
  backend: 'engine',
  checkpointEvery: 300,
} as const satisfies TrainOptions;

/** An epoch has 157 steps, and updates at 100, 200, … keep away from its ends, where snapshots are taken. */
const STANDARD: TrainOptions = { ...SHARED, objective: 'natural', width: 0.25, trainLimit: 20_000, epochs: 30 };
const ADVERSARIAL: TrainOptions = {
  ...SHARED,
  ...{ objective: 'at', norm: 'linf', epsilon: 8 / 255, steps: 10, stepSize: 2 / 255 },
  ...{ width: 0.5, epochs: 15 },
};

const rigl = (sparsity: number) => ({ method: 'rigl', updateInterval: 100, sparsity }) as const;

export const CELLS = {
  'standard-rigl-90': { title: 'standard, RigL 90 %', settings: { ...STANDARD, ...rigl(0.9) } },
  'standard-rigl-95': { title: 'standard, RigL 95 %', settings: { ...STANDARD, ...rigl(0.95) } },
  'standard-rigl-99': { title: 'standard, RigL 99 %', settings: { ...STANDARD, ...rigl(0.99) } },
  'standard-set-itop-95': {
    title: 'standard, SET-ITOP 95 %',
    settings: { ...STANDARD, method: 'set-itop', updateInterval: 150, sparsity: 0.95 },
  },
  'adversarial-rigl-99': { title: 'PGD-10, RigL 99 %', settings: { ...ADVERSARIAL, ...rigl(0.99) } },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

type CellName = keyof typeof CELLS;

const agent = { optimizer: 'agent' } as const;

export const ARMS = {
  sgd: { title: 'SGD', settings: { optimizer: 'sgd' } },
  published: { title: '`published`', settings: agent },
  stable: { title: '`stable`', settings: { ...agent, agentVariant: 'stable' } },
  memory: { title: '`memory`', settings: { ...agent, agentPrepass: 'memory' } },
  fixed: { title: 'SGD, fixed batches', settings: { optimizer: 'sgd', fixedBatches: true } },
  // As many gradient evaluations as `published`: 3 an image instead of 1 in standard training, 1.3 times those of PGD-10 training.
  'sgd-90': { title: 'SGD, 90 epochs', settings: { optimizer: 'sgd', epochs: 90 } },
  'sgd-20': { title: 'SGD, 20 epochs', settings: { optimizer: 'sgd', epochs: 20 } },
} as const satisfies Record<string, { readonly title: string; readonly settings: TrainOptions }>;

type ArmName = keyof typeof ARMS;
type Question = Comparison<CellName, ArmName>;

export type Part = 'standard' | 'adversarial';
export const partNames: readonly Part[] = ['standard', 'adversarial'];

/** The seeds of every cell are 0 to 4. */
const SEEDS = 5;

interface PartDesign {
  readonly measure: 'clean' | 'robust';
  /** The questions that Holm's adjustment is made over, those of both parts together. */
  readonly primary: readonly Question[];
  /** What isolates the correction of `memory` from its fixed batches. */
  readonly secondary: readonly Question[];
}

const ask = (cell: CellName, pairs: readonly (readonly [ArmName, ArmName])[]): Question[] =>
  pairs.map(([arm, against]) => ({ cell, arm, against }));

const STANDARD_CELLS = ['standard-rigl-90', 'standard-rigl-95', 'standard-rigl-99', 'standard-set-itop-95'] as const;

const PARTS: Readonly<Record<Part, PartDesign>> = {
  standard: {
    measure: 'clean',
    primary: STANDARD_CELLS.flatMap((cell) =>
      ask(cell, [
        ['published', 'sgd'],
        ['stable', 'sgd'],
        ['memory', 'sgd'],
        ['published', 'sgd-90'],
        ['stable', 'sgd-90'],
      ]),
    ),
    secondary: STANDARD_CELLS.flatMap((cell) => ask(cell, [['memory', 'fixed']])),
  },
  adversarial: {
    measure: 'robust',
    primary: ask('adversarial-rigl-99', [
      ['published', 'sgd'],
      ['memory', 'sgd'],
      ['published', 'sgd-20'],
    ]),
    secondary: [],
  },
};

/** Every run of some parts, seed by seed. */
export const plannedJobs = (parts: readonly Part[]): Job[] =>
  plannedRuns(
    { cells: CELLS, arms: ARMS },
    parts.map((part) => ({ seeds: SEEDS, comparisons: [...PARTS[part].primary, ...PARTS[part].secondary] })),
  );

/** Every primary question, of parts that were not asked for too, since Holm's adjustment is over all. */
const QUESTIONS = partNames.flatMap((part) =>
  PARTS[part].primary.map((question) => ({ part, question, measure: PARTS[part].measure })),
);

const points = (difference: number): string => (100 * difference).toFixed(1);

function primaryRows(outcomes: Outcomes, parts: readonly Part[]): string[][] {
  const answers = QUESTIONS.map(({ question, measure }) => {
    const pairs = pairsOf(outcomes, question);
    const differences = pairs.map(({ treated, control }) => treated.raw[measure] - control.raw[measure]);
    return { pairs, open: pairs.length < SEEDS, ...pairedTest(differences) };
  });
  const adjusted = adjustedByHolm(answers);
  return QUESTIONS.flatMap(({ part, question: { cell, arm, against }, measure }, i) => {
    if (!parts.includes(part)) return [];
    const { pairs, open, smallest } = answers[i];
    return [
      [
        CELLS[cell].title,
        ARMS[arm].title,
        ARMS[against].title,
        `${pairs.length} of ${SEEDS}`,
        pairs.length === 0 ? '–' : formatPoints(differenceOf(pairs, ({ raw }) => raw[measure])),
        probability(open ? Number.NaN : adjusted[i]),
        // The spread of two differences says nothing.
        pairs.length < LEAST_PAIRS ? '–' : `${points(smallest(ALPHA / QUESTIONS.length))} (${points(smallest(ALPHA))})`,
        verdictOf(open, adjusted[i]),
      ],
    ];
  });
}

/** The mean number of epochs until held-out accuracy stayed at a target, over the runs that reached it, and how many did. */
function epochsTo(target: number, outcomes: readonly Outcome[]): string {
  const reached = outcomes.map(({ validation }) => firstSustained(validation, target) + 1).filter((epoch) => epoch > 0);
  return `${reached.length === 0 ? '–' : mean(reached).toFixed(1)} (${reached.length} of ${outcomes.length})`;
}

function armRows(outcomes: Outcomes, parts: readonly Part[]): string[][] {
  const questions = parts.flatMap((part) => [...PARTS[part].primary, ...PARTS[part].secondary]);
  return (Object.keys(CELLS) as CellName[]).flatMap((cell) =>
    (Object.keys(ARMS) as ArmName[]).flatMap((arm) => {
      const found = outcomesOfArm(outcomes, cell, arm);
      const wanted = questions.some(
        (question) => question.cell === cell && (question.arm === arm || question.against === arm),
      );
      if (!wanted || found.length === 0) return [];
      const ratios = found.flatMap((outcome) => outcome.ratios);
      const target = mean(
        outcomesOfArm(outcomes, cell, 'sgd').map(({ validation }) => validation.at(-1) ?? Number.NaN),
      );
      return [
        [
          CELLS[cell].title,
          ARMS[arm].title,
          String(found.length),
          spread(found.map(({ raw }) => raw.clean)),
          spread(found.map(({ raw }) => raw.robust)),
          epochsTo(target, found),
          ratios.length === 0 ? '–' : `${median(ratios).toFixed(3)}, ${Math.max(...ratios).toPrecision(3)}`,
        ],
      ];
    }),
  );
}

/** The tables of some parts in Markdown. */
export function furtherSection(outcomes: Outcomes, parts: readonly Part[]): string {
  const primary = table(
    ['cell', 'with', 'without', 'pairs', 'difference, points', 'p, Holm', 'could have shown', 'verdict'],
    primaryRows(outcomes, parts),
  );
  const secondary = parts.flatMap((part) =>
    PARTS[part].secondary.map((question) => {
      const { cell, arm, against } = question;
      const pairs = pairsOf(outcomes, question);
      const found = pairs.length === 0 ? '–' : formatPoints(differenceOf(pairs, ({ raw }) => raw[PARTS[part].measure]));
      return [CELLS[cell].title, ARMS[arm].title, ARMS[against].title, `${pairs.length} of ${SEEDS}`, found];
    }),
  );
  const arms = table(
    [
      'cell',
      'training',
      'seeds',
      'clean, %',
      'PGD-20, %',
      'epochs to the end of SGD',
      'variance ratio: median, largest',
    ],
    armRows(outcomes, parts),
  );
  return [
    `#### Primary comparisons\n\n${primary}`,
    ...(secondary.length === 0
      ? []
      : [`#### Secondary\n\n${table(['cell', 'with', 'without', 'pairs', 'difference, points'], secondary)}`]),
    `#### All arms\n\n${arms}`,
  ].join('\n\n');
}
