// Times the backend tensorflow beside the engine, in turns in one process. In a package that TensorFlow is linked to, such
// as the one that `npm run test:tensorflow` leaves:
//
//   node .tensorflow/package/dist/scripts/bench-tensorflow.js [--sparsity 0,0.95] [--batch 16] [--rounds 3] [--threads 2]

import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend } from '../src/backends/start.ts';
import type { BackendName } from '../src/ops/backend-names.ts';
import { ACTION_LABELS, type Action, actionsOf } from './bench/actions.ts';
import { disposeNet, randomBatch, randomNet } from './bench/nets.ts';
import { min } from './bench/statistics.ts';
import { markdownTable, number, percent, ratio } from './bench/table.ts';
import { milliseconds, takeTurns } from './bench/turns.ts';

const ACTIONS: readonly Action[] = ['attack', 'step'];
const SIDES: readonly BackendName[] = ['tensorflow', 'engine'];

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'vgg16' },
    sparsity: { type: 'string', default: '0,0.95' },
    batch: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
  },
});
const [size, rounds, threads] = [options.batch, options.rounds, options.threads].map(Number);

const details: string[] = [];
const rows: string[][] = [];
for (const sparsity of options.sparsity.split(',').map(Number)) {
  // Each side has tensors of its own, since tensors move to the backend that uses them.
  const sides = [];
  for (const name of SIDES) {
    details.push((await startBackend(name, { threads })).detail);
    const backend = tf.getBackend();
    const net = randomNet(options.model, sparsity, 1);
    const batch = randomBatch(size);
    const actions = actionsOf(net, batch);
    const run = async (action: Action) => {
      await tf.setBackend(backend);
      return milliseconds(actions[action]);
    };
    const dispose = async () => {
      await tf.setBackend(backend);
      actions.dispose();
      disposeNet(net);
      tf.dispose([batch.images, batch.labels]);
    };
    sides.push({ name, run, dispose });
  }
  for (const action of ACTIONS) {
    const contestants = sides.map(({ name, run }) => ({ name, run: () => run(action) }));
    const times = await takeTurns(contestants, rounds);
    const [theirs, ours] = SIDES.map((name) => min(times.get(name) ?? []));
    rows.push([ACTION_LABELS[action], percent(sparsity), number(theirs), number(ours), ratio(theirs / ours)]);
  }
  for (const { dispose } of sides) await dispose();
}
console.log(markdownTable(['', 'sparsity', 'tensorflow min, ms', 'engine min, ms', 'ratio'], rows));
console.log(
  `\n${options.model}, batch ${size}, best of ${rounds}; ${cpus()[0]?.model.trim()}, ${availableParallelism()} processors; Node ${process.versions.node}; ${[...new Set(details)].join('; ')}`,
);
