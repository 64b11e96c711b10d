// Times sparse adversarial training of VGG16 against dense masked PyTorch, interleaved in one run.
//
//   node dist/scripts/compare-pytorch.js [--python PYTHON] [--sparsity 0.95] [--threads 2] [--rounds 3]
//                                        [--batch 128] [--steps 10] [--width 1]
//
// PYTHON is a Python with torch and numpy (pip install torch numpy). Both sides get the same weights, masks and images.
// Logits and gradients are compared first, and nothing is timed where they disagree.

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
import { type MemoryFormat, startPyTorch } from './pytorch-rival.ts';

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    sparsity: { type: 'string', default: '0.95' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '128' },
    steps: { type: 'string', default: '10' },
    width: { type: 'string', default: '1' },
  },
});
const { sparsity, threads, rounds, batch, steps, width } = Object.fromEntries(
  Object.entries(options).map(([name, value]) => [name, Number(value)]),
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

const layerNames = program.layers.flatMap((layer) =>
  layer.kind === 'conv' || layer.kind === 'dense' ? [layer.name] : layer.kind === 'maxPool' ? ['pool'] : [],
);
const folder = mkdtempSync(join(tmpdir(), 'compare-pytorch-'));
const rival = await startPyTorch(options.python, folder, stored(), layerNames, threads);
try {
  const expected = await rival.check();
  const input = lossGradient(classifier, crossEntropy, { kind: 'untargeted', labels }, images);
  const weights = gradients(images);
  const logits = classifier(images);
  console.log(`PyTorch ${rival.version}, Node ${process.version}, engine ${JSON.stringify(engineInfo())}`);
  console.log(`VGG16 width ${width}, batch ${batch}, uniform sparsity ${sparsity}, ${threads} threads`);
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

  const times: Record<string, number[]> = {};
  const record = (name: string, time: number): void => {
    times[name] = [...(times[name] ?? []), time];
  };
  const formats: MemoryFormat[] = ['contiguous', 'channels_last'];
  const commands = { attack: 'attack', step: 'step', pgd: `pgd-${steps} step` };
  for (let round = 0; round <= rounds; round++) {
    for (const [command, label] of Object.entries(commands)) {
      const warmUp = round === 0;
      for (const format of formats) {
        const time = await rival.time(`${command} ${format} ${command === 'pgd' ? steps : ''}`);
        if (!warmUp) record(`${label} torch ${format}`, time);
      }
      const time = await milliseconds(ours[command]);
      if (!warmUp) record(`${label} equipoise`, time);
    }
  }
  const min = (list: number[]) => Math.min(...list);
  const median = (list: number[]) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
  console.log('\n| | torch min ms | torch median | equipoise min | equipoise median | ratio of minima | of medians |');
  console.log('|---|---|---|---|---|---|---|');
  for (const label of Object.values(commands)) {
    const theirs = formats.map((format) => times[`${label} torch ${format}`]).sort((a, b) => min(a) - min(b))[0];
    const mine = times[`${label} equipoise`];
    const cells = [min(theirs), median(theirs), min(mine), median(mine)].map((time) => time.toFixed(0));
    const ratios = [min(theirs) / min(mine), median(theirs) / median(mine)].map((ratio) => `${ratio.toFixed(2)}×`);
    console.log(`| ${[label, ...cells, ...ratios].join(' | ')} |`);
  }
} finally {
  rival.stop();
  rmSync(folder, { recursive: true });
}
