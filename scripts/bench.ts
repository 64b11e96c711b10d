// Times sparse adversarial training of VGG16: alone, or against dense masked PyTorch, the sides taking turns.
//
//   npm run bench -- [--python PYTHON] [--sparsity 0.95] [--threads 2] [--rounds 3] [--batch 128] [--steps 10] [--width 1]
//
// PYTHON is a Python with torch and numpy (pip install torch numpy into a virtual environment). Both sides get the same
// weights, masks and images. Logits and gradients are compared first, and nothing is timed where they disagree.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Tensor, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type Classifier, crossEntropy, lossGradient, pgd } from '../attacks/index.ts';
import type { StoredTensor } from '../src/checkpoints/safetensors.ts';
import { foldIn, integers, seedKey, uniform } from '../src/core/key.ts';
import { isSparse, type Params, type Tensors, trainable, trainables, withTrainables } from '../src/core/params.ts';
import { gatherValues, scatterValues, sizeOf } from '../src/core/structure.ts';
import { ENGINE, engineInfo, registerEngine } from '../src/engine/index.ts';
import { buildModel, init, kernelsOf } from '../src/models/index.ts';
import { runNetwork } from '../src/ops/network.ts';
import { applyUpdates, disposeState, sgd } from '../src/optimizers/sgd.ts';
import { uniform as uniformSparsity } from '../src/sparsity/distributions.ts';
import { sparsify } from '../src/sparsity/sparsify.ts';
import { type MemoryFormat, type PyTorchRival, startPyTorch } from './pytorch-rival.ts';

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    sparsity: { type: 'string', default: '0.95' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '128' },
    steps: { type: 'string', default: '10' },
    width: { type: 'string', default: '1' },
  },
});
const { sparsity, threads, rounds, batch, steps, width } = Object.fromEntries(
  Object.entries(options).map(([name, value]) => [name, Number(value)] as const),
);

await registerEngine({ threads });
await tf.setBackend(ENGINE);

const key = seedKey(0);
const program = buildModel('vgg16', { inputShape: [32, 32, 3], classes: 10, width });
const { state } = init(program, foldIn(key, 'init'));
let params = masked(init(program, foldIn(key, 'init')).params);
const images = tf.tensor4d(uniform(foldIn(key, 'images'), batch * 3072), [batch, 32, 32, 3]);
const labels = tf.tensor1d(integers(foldIn(key, 'labels'), batch, 10), 'int32');

/** Sparse at random places and scaled up by √(1 / density), so that signals neither vanish nor explode. */
function masked(dense: Params): Params {
  const counts = uniformSparsity(kernelsOf(program), sparsity);
  const sparse = sparsify(dense, counts, foldIn(key, 'masks'));
  return Object.fromEntries(
    Object.entries(sparse).map(([name, param]) => {
      if (!isSparse(param)) return [name, name.endsWith('.beta') ? tf.mul(tf.ones(param.shape), 0.1) : param];
      const scale = Math.sqrt(sizeOf(param.structure.shape) / param.structure.positions.length);
      return [name, { ...param, values: tf.mul(param.values, scale) as Tensor1D }];
    }),
  );
}

const classifier: Classifier = (pixels) => runNetwork(program, params, state, pixels, { training: false }).logits;

/** Mean cross-entropy in training mode and its gradient in every trainable tensor. */
function gradients(pixels: Tensor4D): Tensors {
  const tensors = trainables(params);
  const names = Object.keys(tensors);
  const loss = (...values: Tensor[]): Tensor => {
    const moved = withTrainables(params, Object.fromEntries(names.map((name, i) => [name, values[i]])));
    const result = runNetwork(program, moved, state, pixels, { training: true });
    return tf.mean(crossEntropy(result.logits, { kind: 'untargeted', labels }));
  };
  const grads = tf.grads(loss)(names.map((name) => tensors[name]));
  return Object.fromEntries(names.map((name, i) => [name, grads[i]]));
}

const optimizer = sgd({ momentum: 0.9, weightDecay: 5e-4 });
let optimizerState = optimizer.init(trainables(params));

function step(pixels: Tensor4D): void {
  const grads = gradients(pixels);
  const { updates, state: moved } = optimizer.update(grads, optimizerState, trainables(params), { learningRate: 0.01 });
  const next = applyUpdates(params, updates);
  for (const param of Object.values(params)) trainable(param).dispose();
  tf.dispose([grads as Record<string, Tensor>, updates as Record<string, Tensor>]);
  disposeState(optimizerState);
  params = next;
  optimizerState = moved;
}

const attack = pgd({ epsilon: 8 / 255, stepSize: 2 / 255, steps });

const ours: Record<string, () => Promise<void>> = {
  attack: async () => {
    const gradient = lossGradient(classifier, crossEntropy, { kind: 'untargeted', labels }, images);
    await gradient.gradient.data();
    tf.dispose([gradient.gradient, gradient.loss, gradient.logits]);
  },
  step: async () => step(images),
  pgd: async () => {
    const adversarial = await attack.perturb(classifier, images, labels, { key, mode: 'train' });
    step(adversarial);
    adversarial.dispose();
  },
};

async function milliseconds(action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** ‖a − b‖ / ‖b‖ */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    norm += b[i] ** 2;
  }
  return Math.sqrt(difference / norm);
}

function stored(): Record<string, StoredTensor> {
  const tensors: Record<string, StoredTensor> = {
    images: { dtype: 'F32', shape: images.shape, data: Float32Array.from(images.dataSync()) },
    labels: { dtype: 'I32', shape: labels.shape, data: Int32Array.from(labels.dataSync()) },
  };
  for (const [name, param] of Object.entries({ ...params, ...state })) {
    const data = Float32Array.from(trainable(param).dataSync());
    tensors[name] = isSparse(param)
      ? { dtype: 'F32', shape: param.structure.shape, data: scatterValues(param.structure, data) }
      : { dtype: 'F32', shape: param.shape, data };
  }
  return tensors;
}

/** In order; what PyTorch's side builds the network from. */
const layerNames = program.layers.flatMap((layer) =>
  layer.kind === 'conv' || layer.kind === 'dense' ? [layer.name] : layer.kind === 'maxPool' ? ['pool'] : [],
);
/** Compares what both sides compute. @throws Error where they disagree */
async function checkAgreement(rival: PyTorchRival): Promise<void> {
  const expected = await rival.check();
  const input = lossGradient(classifier, crossEntropy, { kind: 'untargeted', labels }, images);
  const weights = gradients(images);
  const logits = classifier(images);
  // A whole ReLU network: rounding flips single ReLU and pooling decisions, so gradients agree in l2, not entry by entry.
  const differences: Record<string, [number, number]> = {
    logits: [distance(logits.dataSync(), expected.logits), 1e-4],
    'input gradient': [distance(input.gradient.dataSync(), expected.images), 2e-2],
  };
  for (const [name, param] of Object.entries(params)) {
    if (!(name in expected)) continue;
    const theirs = isSparse(param) ? gatherValues(param.structure, expected[name]) : expected[name];
    differences[`gradient of ${name}`] = [distance(weights[name].dataSync(), theirs), 2e-2];
  }
  tf.dispose([weights as Record<string, Tensor>, logits, input.gradient, input.loss, input.logits]);
  for (const [what, [difference, limit]] of Object.entries(differences)) {
    console.log(`  ${what}: relative l2 difference ${difference.toExponential(1)}`);
    if (!(difference <= limit)) throw new Error(`The two sides disagree on ${what}; nothing is timed.`);
  }
}

const FORMATS: readonly MemoryFormat[] = ['contiguous', 'channels_last'];
const COMMANDS = { attack: 'attack', step: 'step', pgd: `pgd-${steps} step` };

/** Milliseconds of every command and side, by `command side`, over the rounds after one of warm-up. */
async function takeTurns(rival: PyTorchRival | null): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = {};
  for (let round = 0; round <= rounds; round++) {
    for (const command of Object.keys(COMMANDS)) {
      const theirs = (format: MemoryFormat) => rival?.time(`${command} ${format} ${command === 'pgd' ? steps : ''}`);
      const sides: [string, () => Promise<number> | undefined][] = [
        ...FORMATS.map((format): [string, () => Promise<number> | undefined] => [format, () => theirs(format)]),
        ['equipoise', () => milliseconds(ours[command])],
      ];
      for (const [side, run] of sides) {
        const time = await run();
        const name = `${command} ${side}`;
        if (round > 0 && time !== undefined) times[name] = [...(times[name] ?? []), time];
      }
    }
  }
  return times;
}

const min = (list: readonly number[]): number => Math.min(...list);
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

function printTable(times: Readonly<Record<string, number[]>>): void {
  const compared = `attack ${FORMATS[0]}` in times;
  const rival = compared ? ['PyTorch min, ms', 'median'] : [];
  const header = ['', ...rival, 'Equipoise min, ms', 'median', ...(compared ? ['ratio of minima', 'of medians'] : [])];
  console.log(`\n| ${header.join(' | ')} |\n|${'---|'.repeat(header.length)}`);
  for (const [command, label] of Object.entries(COMMANDS)) {
    const mine = times[`${command} equipoise`];
    const [theirs] = FORMATS.flatMap((format) => {
      const list = times[`${command} ${format}`];
      return list ? [list] : [];
    }).sort((a, b) => min(a) - min(b));
    const figures = [...(theirs ? [min(theirs), median(theirs)] : []), min(mine), median(mine)];
    const ratios = theirs ? [min(theirs) / min(mine), median(theirs) / median(mine)] : [];
    const cells = [...figures.map((time) => time.toFixed(0)), ...ratios.map((ratio) => `${ratio.toFixed(2)}×`)];
    console.log(`| ${[label, ...cells].join(' | ')} |`);
  }
}

console.log(`Node ${process.version}, engine ${JSON.stringify(engineInfo())}`);
console.log(`VGG16 width ${width}, batch ${batch}, uniform sparsity ${sparsity}, ${threads} threads`);
const folder = mkdtempSync(join(tmpdir(), 'equipoise-bench-'));
const rival = options.python ? await startPyTorch(options.python, folder, stored(), layerNames, threads) : null;
try {
  if (rival) {
    console.log(`PyTorch ${rival.version}`);
    await checkAgreement(rival);
  } else {
    console.log('no --python given: the engine alone');
  }
  printTable(await takeTurns(rival));
} finally {
  rival?.stop();
  rmSync(folder, { recursive: true });
}
