// Times networks against tfjs-backend-wasm.
import * as tf from '@tensorflow/tfjs-core';
import { ACTION_LABELS, type Action, actionsOf } from './actions.ts';
import { type Differences, describeDifferences, loadAndCompare, rivalSide } from './agreement.ts';
import { type Context, inRoundsOfOwnBatches, type Section } from './context.ts';
import { disposeNet, randomBatch, randomNet } from './nets.ts';
import type { Rival } from './rival.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { TFJS_WASM, verdict } from './targets.ts';
import { milliseconds, type Times, takeTurns } from './turns.ts';

interface Trial {
  readonly model: string;
  readonly action: Action;
  readonly sparsity: number;
  /** The batch size. tfjs-backend-wasm takes about a quarter of a second per image, forward and backward. */
  readonly batch: number;
}

const TRIALS: readonly Trial[] = [
  { model: 'vgg16', action: 'forward', sparsity: 0, batch: 32 },
  { model: 'vgg16', action: 'forward', sparsity: 0.95, batch: 32 },
  { model: 'vgg16', action: 'attack', sparsity: 0.95, batch: 4 },
  { model: 'resnet18', action: 'attack', sparsity: 0.95, batch: 4 },
  { model: 'resnet18', action: 'step', sparsity: 0.95, batch: 4 },
];

/** Times, or why the rival cannot do it. */
const attempt = (timing: Promise<Times>): Promise<Times | string> =>
  timing.catch((error: unknown) => (error instanceof Error ? error.message.split('\n')[0] : String(error)));

/** Networks on tfjs-backend-wasm, dense masked as it has no sparse kernels; it runs on one thread in Node. */
export const tfjsWasm: Section = {
  name: 'tfjs-wasm',
  conditions: inRoundsOfOwnBatches,
  run: async (context) => {
    const title = '### tfjs-backend-wasm';
    if (!context.tfjsWasm) return `${title}\n\nNot measured in this run.`;
    const rows: string[][] = [];
    const differences: Differences[] = [];
    for (const trial of TRIALS) {
      rows.push(await measure(context.tfjsWasm, trial, context, differences));
      context.log(`  ${labelOf(trial)} timed`);
    }
    const header = [
      '',
      'tfjs-backend-wasm min, ms',
      'median',
      'Equipoise min, ms',
      'median',
      'ratio of minima',
      'of medians',
    ];
    return [
      title,
      '',
      'It has no sparse kernels (the network is dense and masked there), runs on one thread in Node, and has no gradient of convolution kernels.',
      '',
      markdownTable(header, rows),
      '',
      `Largest relative l2 differences before timing: ${describeDifferences(differences)}.`,
    ].join('\n');
  },
};

const labelOf = ({ model, action, sparsity, batch }: Trial): string =>
  `${model}, ${ACTION_LABELS[action]}, ${percent(sparsity)}, batch ${batch}`;

async function measure(
  rival: Rival,
  trial: Trial,
  { rounds, width, judge }: Context,
  differences: Differences[],
): Promise<string[]> {
  const { model, action, sparsity } = trial;
  const net = { ...randomNet(model, sparsity, width), name: labelOf(trial) };
  const batch = randomBatch(trial.batch);
  const actions = actionsOf(net, batch);
  const compareAndTime = async (): Promise<Times> => {
    differences.push(...(await loadAndCompare(rival, net, batch, { logitsOnly: action === 'forward' })));
    const theirs = rivalSide(rival, 'tfjs-backend-wasm', { net: net.name, action });
    const ours = { name: 'equipoise', run: () => milliseconds(actions[action]) };
    return takeTurns([theirs, ours], rounds);
  };
  const times = await attempt(compareAndTime());
  actions.dispose();
  disposeNet(net);
  tf.dispose([batch.images, batch.labels]);
  if (typeof times === 'string') return [labelOf(trial), `not timed: ${times}`, '', '', '', '', ''];
  const [rivals, ours] = ['tfjs-backend-wasm', 'equipoise'].map((name) => times.get(name) ?? []);
  const advantage = min(rivals) / min(ours);
  const required = action === 'forward' ? TFJS_WASM[sparsity] : undefined;
  if (required !== undefined) judge(labelOf(trial), verdict(advantage, required));
  return [
    labelOf(trial),
    ...[min(rivals), median(rivals), min(ours), median(ours)].map(number),
    ratio(advantage),
    ratio(median(rivals) / median(ours)),
  ];
}
