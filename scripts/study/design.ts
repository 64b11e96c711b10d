// The design of the study: its cells, arms and runs. docs/study-plan.md says the same in words.
import type { AttackSpec } from '../../src/evaluation/attacks/named-attacks.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import {
  applicable,
  configHash,
  parseConfig,
  type TrainConfig,
  type TrainOptions,
} from '../../src/training/config/config.ts';

// docs/study-plan.md says in words what stands here, and why.

/** What all runs share; what a cell or an arm says goes over it. */
export const SHARED = {
  dataset: 'cifar10',
  trainLimit: 10_000,
  model: 'vgg16',
  width: 0.125,
  objective: 'at',
  norm: 'linf',
  epsilon: 8 / 255,
  steps: 7,
  stepSize: 2 / 255,
  epochs: 15,
  batchSize: 64,
  schedule: 'cosine',
  momentum: 0.9,
  weightDecay: 5e-4,
  augment: 'shift-flip',
  backend: 'engine',
  checkpointEvery: 120,
} as const satisfies TrainOptions;

/** What every run is measured by, on this many test images, balanced over the classes. */
export const ATTACK = { kind: 'pgd', steps: 20, restarts: 2, loss: 'ce' } as const satisfies AttackSpec;
export const TEST_IMAGES = 5000;

/** Learning rates to choose from, at `RATE_SEED`, which is not reported. */
export const RATES = [0.02, 0.06, 0.18] as const;
export const RATE_SEED = 0;
/** The cell in which every arm has a learning rate of its own; elsewhere all arms take that of the plain one. */
export const TUNED_CELL = 'rigl-95';

/** A sparse pipeline X at a sparsity, and how many seeds it is trained with. */
interface Cell {
  readonly title: string;
  readonly seeds: number;
  readonly settings: TrainOptions;
}

export const CELLS = {
  'rigl-95': {
    title: 'RigL 95 %',
    seeds: 5,
    settings: { method: 'rigl', sparsity: 0.95, distribution: 'erk', updateInterval: 100 },
  },
  'rigl-90': {
    title: 'RigL 90 %',
    seeds: 5,
    settings: { method: 'rigl', sparsity: 0.9, distribution: 'erk', updateInterval: 100 },
  },
  'set-itop-90': {
    title: 'SET-ITOP 90 %',
    seeds: 3,
    settings: { method: 'set-itop', sparsity: 0.9, distribution: 'erk', updateInterval: 150 },
  },
  'bsr-net-90': {
    title: 'BSR-Net 90 %',
    seeds: 3,
    settings: { method: 'bsr-net', sparsity: 0.9, distribution: 'bsr-net' },
  },
} as const satisfies Record<string, Cell>;

export type CellName = keyof typeof CELLS;
export const cellNames = Object.keys(CELLS) as readonly CellName[];

/** A way of training X. */
interface Arm {
  readonly title: string;
  readonly settings: TrainOptions;
  /** The arm whose gradient evaluations this one is given, as further epochs. */
  readonly asLongAs?: 'published' | 'matched';
}

const AGENT = { optimizer: 'agent', agentGamma: 0.1, agentAlpha: 0.3 } as const satisfies TrainOptions;
const MATCHED = { agentPrepass: 'matched', agentAttackSteps: 1 } as const satisfies TrainOptions;

export const ARMS = {
  plain: { title: 'X', settings: { optimizer: 'sgd' } },
  published: { title: 'A-X, published', settings: { ...AGENT, agentPrepass: 'published' } },
  matched: { title: 'A-X, matched, K = 1', settings: { ...AGENT, ...MATCHED } },
  'plain-as-published': {
    title: 'X, as many gradients as published',
    settings: { optimizer: 'sgd' },
    asLongAs: 'published',
  },
  'plain-as-matched': { title: 'X, as many gradients as matched', settings: { optimizer: 'sgd' }, asLongAs: 'matched' },
} as const satisfies Record<string, Arm>;

export type PrimaryArm = keyof typeof ARMS;
export const armNames = Object.keys(ARMS) as readonly PrimaryArm[];
export const agentArms = ['published', 'matched'] as const satisfies readonly PrimaryArm[];
export type AgentArm = (typeof agentArms)[number];

/** What is looked at beside the primary question, on seeds 1 to 3. */
interface Exploration extends Arm {
  readonly cell: CellName;
  /** The arm that it is compared with; default `plain`. */
  readonly against?: string;
}

export const EXPLORATIONS = {
  'natural-plain': {
    cell: 'rigl-90',
    title: 'X, natural training',
    settings: { optimizer: 'sgd', objective: 'natural' },
  },
  natural: {
    cell: 'rigl-90',
    title: 'A-X, published, natural training',
    settings: { ...AGENT, agentPrepass: 'published', objective: 'natural' },
    against: 'natural-plain',
  },
  'matched-full': {
    cell: 'rigl-90',
    title: 'A-X, matched, K = 7',
    settings: { ...AGENT, agentPrepass: 'matched', agentAttackSteps: 7 },
  },
  subsampled: {
    cell: 'rigl-90',
    title: 'A-X, subsampled 20 %, K = 1',
    settings: { ...AGENT, agentPrepass: 'subsampled', agentPrepassShare: 0.2, agentAttackSteps: 1 },
  },
  'alpha-svrg': {
    cell: 'rigl-90',
    title: 'α-SVRG, matched, K = 1',
    settings: { optimizer: 'alpha-svrg', ...MATCHED },
  },
  svrg: { cell: 'rigl-90', title: 'SVRG, matched, K = 1', settings: { optimizer: 'svrg', ...MATCHED } },
  'matched-gamma-0.3': {
    cell: 'rigl-90',
    title: 'A-X, matched, K = 1, γ 0.3',
    settings: { ...AGENT, ...MATCHED, agentGamma: 0.3 },
  },
  'matched-gamma-1': {
    cell: 'rigl-90',
    title: 'A-X, matched, K = 1, γ 1',
    settings: { ...AGENT, ...MATCHED, agentGamma: 1 },
  },
  'published-gamma-0.3': {
    cell: 'rigl-90',
    title: 'A-X, published, γ 0.3',
    settings: { ...AGENT, agentPrepass: 'published', agentGamma: 0.3 },
  },
  'published-gamma-1': {
    cell: 'rigl-90',
    title: 'A-X, published, γ 1',
    settings: { ...AGENT, agentPrepass: 'published', agentGamma: 1 },
  },
  'published-bsr': {
    cell: 'bsr-net-90',
    title: 'A-X, published-bsr',
    settings: { ...AGENT, agentPrepass: 'published-bsr' },
  },
  'plain-rate-0.06': {
    cell: 'bsr-net-90',
    title: 'X, rate 0.06',
    settings: { optimizer: 'sgd', lr: 0.06 },
  },
  'published-rate-0.06': {
    cell: 'bsr-net-90',
    title: 'A-X, published, rate 0.06',
    settings: { ...AGENT, agentPrepass: 'published', lr: 0.06 },
    against: 'plain-rate-0.06',
  },
  'matched-rate-0.06': {
    cell: 'bsr-net-90',
    title: 'A-X, matched, K = 1, rate 0.06',
    settings: { ...AGENT, ...MATCHED, lr: 0.06 },
    against: 'plain-rate-0.06',
  },
} as const satisfies Record<string, Exploration>;

export type ExplorationName = keyof typeof EXPLORATIONS;
export const explorationNames = Object.keys(EXPLORATIONS) as readonly ExplorationName[];
export const EXPLORATION_SEEDS = 3;

export type ArmName = PrimaryArm | ExplorationName;

/** A run of the study. */
export interface StudyRun {
  readonly part: 'rate' | 'primary' | 'exploratory';
  readonly cell: CellName;
  readonly arm: ArmName;
  /** Its folder, which its place in the design names: it stays the same whatever a setting turns out to be. */
  readonly name: string;
  readonly config: TrainConfig;
}

/** What finished runs have told so far, by the name of the run. */
export interface Known {
  /** Best robust validation accuracy; −1 where the run diverged. */
  readonly scores: ReadonlyMap<string, number>;
  /** Gradient evaluations an epoch, counted in images; of runs that diverged too. */
  readonly gradients: ReadonlyMap<string, number>;
}

const rateName = (cell: CellName, arm: ArmName, rate: number): string => `${cell}-${arm}-rate${rate}`;
export const runName = (cell: CellName, arm: ArmName, seed: number): string => `${cell}-${arm}-seed${seed}`;

const run = (part: StudyRun['part'], cell: CellName, arm: ArmName, name: string, settings: TrainOptions): StudyRun => ({
  part,
  cell,
  arm,
  name,
  config: parseConfig(applicable({ ...SHARED, ...CELLS[cell].settings, ...settings })),
});

/** Arms whose learning rate is chosen in a cell. */
const tunedArms = (cell: CellName): readonly PrimaryArm[] =>
  cell === TUNED_CELL ? ['plain', ...agentArms] : ['plain'];

export const rateRuns = (): StudyRun[] =>
  cellNames.flatMap((cell) =>
    tunedArms(cell).flatMap((arm) =>
      RATES.map((lr) =>
        run('rate', cell, arm, rateName(cell, arm, lr), { ...ARMS[arm].settings, lr, seed: RATE_SEED }),
      ),
    ),
  );

/** The learning rate of best robust validation accuracy, the lower one of two that tie; null before all are tried. */
export function chosenRate({ scores }: Known, cell: CellName, arm: ArmName): number | null {
  const tuned = tunedArms(cell).find((name) => name === arm) ?? 'plain';
  const tried = RATES.map((rate) => ({ rate, score: scores.get(rateName(cell, tuned, rate)) }));
  if (tried.some(({ score }) => score === undefined)) return null;
  return tried.reduce((best, next) => ((next.score ?? -1) > (best.score ?? -1) ? next : best)).rate;
}

/**
 * Epochs in which X takes as many gradient evaluations as an arm of AGENT in the epochs of all: rounded to whole ones,
 * counted on the runs of seed 1; null before both are there.
 */
export function stretchedEpochs({ gradients }: Known, cell: CellName, arm: AgentArm): number | null {
  const theirs = gradients.get(runName(cell, arm, 1));
  const ours = gradients.get(runName(cell, 'plain', 1));
  return theirs === undefined || ours === undefined ? null : Math.round((SHARED.epochs * theirs) / ours);
}

/**
 * The runs of the study in their order, up to the first that depends on something not known yet: the learning rates; then
 * seed by seed every cell's arms, and the longer ones of X behind them, so that a study stopped anywhere has balanced
 * tables over fewer seeds; then what is exploratory.
 */
export function plannedRuns(known: Known): StudyRun[] {
  const runs = rateRuns();
  const seeds = Math.max(...cellNames.map((cell) => CELLS[cell].seeds));
  for (let seed = 1; seed <= seeds; seed++) {
    for (const longer of [false, true]) {
      for (const cell of cellNames.filter((name) => seed <= CELLS[name].seeds)) {
        for (const arm of armNames) {
          const { settings, asLongAs }: Arm = ARMS[arm];
          if ((asLongAs !== undefined) !== longer) continue;
          const lr = chosenRate(known, cell, arm);
          const epochs = asLongAs ? stretchedEpochs(known, cell, asLongAs) : SHARED.epochs;
          if (lr === null || epochs === null) return runs;
          runs.push(run('primary', cell, arm, runName(cell, arm, seed), { ...settings, lr, epochs, seed }));
        }
      }
    }
  }
  for (let seed = 1; seed <= EXPLORATION_SEEDS; seed++) {
    for (const arm of explorationNames) {
      const { cell, settings } = EXPLORATIONS[arm];
      const lr = chosenRate(known, cell, 'plain');
      if (lr === null) return runs;
      runs.push(run('exploratory', cell, arm, runName(cell, arm, seed), { lr, ...settings, seed }));
    }
  }
  return runs;
}

/** How many runs the whole study has, part by part. */
export const TOTALS = {
  rate: rateRuns().length,
  primary: cellNames.reduce((sum, cell) => sum + CELLS[cell].seeds, 0) * armNames.length,
  exploratory: EXPLORATION_SEEDS * explorationNames.length,
} as const satisfies Record<StudyRun['part'], number>;

export const jobOfRun = ({ name, config }: StudyRun): Job => ({ id: configHash(config), name, config });
