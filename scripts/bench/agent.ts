// Times an epoch with and without AGENT.
import type { TrainOptions } from '../../src/training/config/config.ts';
import type { Section } from './context.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, ratio } from './table.ts';
import { verdictAtMost } from './targets.ts';
import { pretendedCifar, runTraining, type TrainingRun } from './training-run.ts';
import { type Side, takeTurns } from './turns.ts';

interface Arm {
  readonly name: string;
  readonly options: TrainOptions;
  /** Mean time of a step over the same without AGENT; undefined for that itself. */
  readonly limit?: number;
}

const matched = (agentAttackSteps: number): TrainOptions => ({
  optimizer: 'agent',
  agentPrepass: 'matched',
  agentAttackSteps,
});

const ARMS: readonly Arm[] = [
  { name: 'without AGENT', options: { optimizer: 'sgd' } },
  { name: 'published', options: { optimizer: 'agent', agentPrepass: 'published' }, limit: 1.45 },
  { name: 'matched, K = 0', options: matched(0), limit: 1.35 },
  { name: 'matched, K = 1', options: matched(1), limit: 1.35 },
  { name: 'matched, K = 10', options: matched(10), limit: 2.15 },
];

const STEPS = 8;
/** Training has 100, where what a mask update costs weighs less still. */
const UPDATE_INTERVAL = 4;
const WARM_UP_STEPS = 2;
/** Whole runs are long; a smaller network has the same proportions. */
const WIDTH = 0.5;

/** What AGENT costs: seconds a step over an epoch, its pre-pass included. */
export const agent: Section = {
  name: 'agent',
  conditions: ({ batch, width, rounds }) => `batch ${batch}, width ${WIDTH * width}, ${rounds} rounds`,
  run: async (context) => {
    const data = pretendedCifar(context.folder, STEPS * context.batch);
    const width = WIDTH * context.width;
    const common: TrainOptions = {
      model: 'vgg16',
      width,
      // Growth at random: dense gradients, rare in training, would hide in these few steps what AGENT adds.
      method: 'set',
      sparsity: 0.95,
      distribution: 'uniform',
      updateInterval: UPDATE_INTERVAL,
      updateEnd: 1,
      batchSize: context.batch,
    };
    const epoch = (options: TrainOptions, steps: number): Promise<TrainingRun> =>
      runTraining({ ...common, ...options, trainLimit: steps * context.batch }, data, context.folder);
    const sides = ARMS.map(
      ({ name, options }): Side => ({
        name,
        run: async () => {
          const run = await epoch(options, STEPS);
          return (1000 * run.training) / run.steps;
        },
      }),
    );
    for (const { options } of ARMS) await epoch(options, WARM_UP_STEPS);
    const times = await takeTurns(sides, context.rounds, { warmUp: false });
    const of = (name: string): readonly number[] => times.get(name) ?? [];
    const base = of(ARMS[0].name);
    const rows = ARMS.map(({ name, limit }) => {
      const list = of(name);
      const growth = min(list) / min(base);
      if (limit !== undefined) context.judge(name, verdictAtMost(growth, limit, '×'));
      return [name, number(min(list)), number(median(list)), ratio(growth), ratio(median(list) / median(base))];
    });
    return [
      '### What AGENT costs',
      '',
      `VGG16 of width ${width}, 95 %, PGD-10, SET, an epoch of ${STEPS} steps of ${context.batch} images, masks changed every ${UPDATE_INTERVAL}: milliseconds a step over the epoch, the pre-pass and mask updates included.`,
      '',
      markdownTable(['', 'min, ms', 'median', 'over without, minima', 'medians'], rows),
    ].join('\n');
  },
};
