// Compares batch-norm statistics for the averaged weights of runs trained with `ema`: the averages of the running ones
// during training, and statistics made anew on training images, as they are shown (augmented) or under the training attack.
//
//   npm run --silent build && node dist/scripts/ema-statistics.js RUN… [--data FOLDER] [--batches 50]
//
// Prints accuracy on the images held out of training, clean and under PGD-10; docs/training.md has the outcome.

import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { loadModel } from '../src/checkpoints/load-model.ts';
import { disposeParams, disposeTensors, type Tensors, zerosLike } from '../src/core/params.ts';
import { ENGINE, registerEngine } from '../src/engine/index.ts';
import { runNetwork } from '../src/ops/network.ts';
import { weightedSum } from '../src/ops/weighted-sum.ts';
import { batchesOfEpoch, disposeBatch, drawBatch, withAdversarial } from '../src/training/batches/batches.ts';
import { readRunConfig, runFolder } from '../src/training/run/run-folder.ts';
import { measureAccuracy } from '../src/training/run/validate.ts';
import type { TrainedNetwork } from '../src/training/state.ts';
import { openTask, type Task } from '../src/training/task.ts';
import { markdownTable } from './bench/table.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string' }, batches: { type: 'string', default: '50' } },
});

/** A run with momentum m moves running statistics from 0 to m times those of the batch. */
const MOMENTUM = 0.1;

/** The mean over some batches of the statistics of each. */
async function anew(task: Task, { params, statistics }: TrainedNetwork, attacked: boolean): Promise<Tensors> {
  const { epochs } = task.config;
  const batches = batchesOfEpoch(task, epochs).slice(0, Number(values.batches));
  const nothing = zerosLike(statistics);
  let sum = zerosLike(statistics);
  for (const indices of batches) {
    const attack = attacked ? task.attacks.training({ epoch: epochs, guard: null }) : null;
    const weights = { params, state: statistics };
    const { batch } = await withAdversarial(task, attack, weights, epochs, drawBatch(task, epochs, indices));
    const { logits, state } = runNetwork(task.program, params, nothing, batch.adversarial, { training: true });
    logits.dispose();
    disposeBatch(batch);
    const next = weightedSum([1, sum], [1 / (MOMENTUM * batches.length), state]);
    for (const tree of [sum, state]) disposeTensors(tree);
    sum = next;
  }
  disposeTensors(nothing);
  return sum;
}

async function compare(path: string): Promise<string[][]> {
  const config = await readRunConfig(path);
  if (config?.ema === undefined) throw new Error(`${path} is no run with ema.`);
  const task = await openTask(config, { dataDirectory: values.data });
  const { ema, last } = runFolder(path);
  const [averaged, raw] = [await loadModel(ema), await loadModel(last)];
  const network: TrainedNetwork = { ...averaged, statistics: averaged.state };
  const shown = await anew(task, network, false);
  const attacked = await anew(task, network, true);
  const rows: [string, TrainedNetwork][] = [
    ['raw weights', { ...raw, statistics: raw.state }],
    ['averaged weights, averaged statistics', network],
    ['averaged weights, statistics anew on training images', { ...network, statistics: shown }],
    ['averaged weights, statistics anew under the training attack', { ...network, statistics: attacked }],
  ];
  const measured: string[][] = [];
  for (const [what, one] of rows) {
    const { cleanAccuracy, robustAccuracy, loss, robustLoss } = await measureAccuracy(
      task,
      one,
      task.indices.validation,
    );
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
    measured.push([
      `${averaged.epoch} epochs, ${what}`,
      percent(cleanAccuracy),
      percent(robustAccuracy),
      ...[loss, robustLoss].map((value) => value.toFixed(3)),
    ]);
  }
  for (const { params, state } of [averaged, raw]) {
    disposeParams(params);
    disposeTensors(state);
  }
  for (const tree of [shown, attacked]) disposeTensors(tree);
  return measured;
}

await registerEngine({ threads: 2 });
await tf.setBackend(ENGINE);
const table: string[][] = [];
for (const path of positionals) table.push(...(await compare(path)));
console.log(markdownTable(['', 'clean', 'PGD-10', 'clean loss', 'robust loss'], table));
