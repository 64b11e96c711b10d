import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { LayersModel, SymbolicTensor } from '@tensorflow/tfjs-layers';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { apgd, pgd, seedKey, square } from '../../attacks/index.ts';
import { uniform } from '../../src/core/key.ts';
import { ENGINE, engineInfo, registerEngine } from '../../src/engine/index.ts';
import { forgetStructures, numbers } from './same.ts';

const { layers } = tfl;
const CLASSES = 4;
const BATCH = 6;

type Build = (input: SymbolicTensor) => SymbolicTensor;

const chain =
  (...parts: readonly { apply(x: SymbolicTensor): unknown }[]): Build =>
  (input) =>
    parts.reduce((x, part) => part.apply(x) as SymbolicTensor, input);

const conv = (filters: number, options: Partial<Parameters<typeof layers.conv2d>[0]> = {}) =>
  layers.conv2d({ filters, kernelSize: 3, padding: 'same', ...options });
const norm = () => layers.batchNormalization({ momentum: 0.8 });
const depthwise = (strides = 1) => layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', strides, useBias: false });

/** A residual block, its shortcut projected where the shape changes. */
const residual =
  (filters: number, strides: number): Build =>
  (input) => {
    const body = chain(
      conv(filters, { strides, useBias: false }),
      norm(),
      layers.reLU(),
      conv(filters, { useBias: false }),
      norm(),
    )(input);
    const shortcut =
      strides === 1 ? input : chain(conv(filters, { strides, kernelSize: 1, useBias: false }), norm())(input);
    return layers.reLU().apply(layers.add().apply([body, shortcut]) as SymbolicTensor) as SymbolicTensor;
  };

/** MobileNet's inverted residual: widened, each channel by itself, narrowed. */
const inverted = (filters: number, strides: number): Build =>
  chain(
    ...[conv(3 * filters, { kernelSize: 1, useBias: false }), norm(), layers.reLU({ maxValue: 6 })],
    ...[layers.zeroPadding2d({ padding: 1 }), layers.depthwiseConv2d({ kernelSize: 3, strides, useBias: false })],
    ...[norm(), layers.reLU({ maxValue: 6 }), conv(filters, { kernelSize: 1, useBias: false }), norm()],
  );

/** An Inception block: branches side by side, overlapping and padded pooling. */
const inception: Build = (input) =>
  layers
    .concatenate()
    .apply([
      chain(conv(3, { kernelSize: 1, activation: 'relu' }))(input),
      chain(
        conv(4, { kernelSize: [1, 5], activation: 'elu' }),
        conv(4, { kernelSize: [5, 1] }),
        layers.leakyReLU(),
      )(input),
      chain(layers.maxPooling2d({ poolSize: 3, strides: 1, padding: 'same' }), conv(2, { kernelSize: 1 }))(input),
      chain(layers.averagePooling2d({ poolSize: 2, strides: 2 }), layers.upSampling2d({ size: [2, 2] }))(input),
    ]) as SymbolicTensor;

const softmaxHead: Build = (input) =>
  chain(
    layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }),
    layers.dense({ units: CLASSES, activation: 'softmax' }),
  )(input);

const compose =
  (...parts: readonly Build[]): Build =>
  (input) =>
    parts.reduce((x, part) => part(x), input);

const MODELS: Readonly<Record<string, () => Build>> = {
  'a VGG with batch norm': () =>
    chain(
      ...[conv(5, { useBias: false }), norm(), layers.activation({ activation: 'relu' })],
      ...[layers.maxPooling2d({ poolSize: 2 }), conv(9, { activation: 'tanh' }), layers.maxPooling2d({ poolSize: 2 })],
      ...[layers.flatten(), layers.dense({ units: 17, activation: 'relu' }), layers.dense({ units: CLASSES })],
      layers.softmax(),
    ),
  'a ResNet': () =>
    compose(chain(conv(6, { useBias: false }), norm(), layers.reLU()), residual(6, 1), residual(10, 2), softmaxHead),
  'a MobileNet': () =>
    compose(
      chain(conv(8, { strides: 2, useBias: false }), norm(), layers.reLU({ maxValue: 6 })),
      chain(depthwise(), norm(), layers.reLU({ maxValue: 6 })),
      ...[inverted(6, 2), inverted(8, 1), softmaxHead],
    ),
  'an Inception': () =>
    compose(
      chain(layers.separableConv2d({ filters: 7, kernelSize: 3, padding: 'same', activation: 'selu' })),
      inception,
      chain(layers.prelu({ sharedAxes: [1, 2] }), layers.cropping2D({ cropping: 1 }), layers.dropout({ rate: 0 })),
      chain(
        layers.globalMaxPooling2d({ dataFormat: 'channelsLast' }),
        layers.dense({ units: CLASSES, activation: 'softmax' }),
      ),
    ),
};

/** Makes a model whose weights depend on nothing but their places. */
function build(make: () => Build): LayersModel {
  const input = tfl.input({ shape: [8, 8, 3] });
  const model = tfl.model({ inputs: input, outputs: make()(input) });
  tf.tidy(() => {
    model.setWeights(
      model.getWeights().map((weight, i) => {
        const values = numbers(`weight ${i}`, weight.shape).map((value) => 0.4 * value);
        // Variances and the like stay what they are: positive.
        return weight.shape.length === 1 ? weight : tf.tensor(values, weight.shape);
      }),
    );
  });
  model.compile({ optimizer: tf.train.momentum(0.05, 0.9), loss: 'categoricalCrossentropy' });
  return model;
}

const images = () => tf.tensor4d(uniform(seedKey('images'), BATCH * 192), [BATCH, 8, 8, 3]);
const labels = () => tf.tensor1d([0, 1, 2, 3, 0, 1], 'int32');

interface Outcome {
  readonly losses: number[];
  /** All of them in one: some alone may have no gradient but rounding. */
  readonly weights: Float32Array;
  readonly predictions: Float32Array;
  readonly adversarial: Float32Array[];
  /** Tensors and bytes left by an attack and a step. */
  readonly left: readonly number[];
}

async function outcome(backend: 'cpu' | typeof ENGINE, make: () => Build): Promise<Outcome> {
  await tf.setBackend(backend);
  const model = build(make);
  const [x, y] = [images(), labels()];
  const hot = tf.oneHot(y, CLASSES);
  const losses: number[] = [];
  for (let step = 0; step < 3; step++) losses.push((await model.trainOnBatch(x, hot)) as number);
  await model.fit(x, hot, { epochs: 1, batchSize: 4, shuffle: false, verbose: 0 });
  const predictions = tf.tidy(() => (model.predict(x) as Tensor).dataSync() as Float32Array);
  const held = () => [tf.memory().numTensors, backend === ENGINE ? (engineInfo()?.bytes ?? 0) : 0];
  if (backend === ENGINE) forgetStructures();
  const before = held();
  losses.push((await model.trainOnBatch(x, hot)) as number);
  const adversarial: Float32Array[] = [];
  for (const attack of [
    pgd({ epsilon: 0.1, steps: 3 }),
    pgd({ norm: 'l2', epsilon: 0.5, steps: 2 }),
    apgd({ epsilon: 0.1, steps: 2 }),
    square({ epsilon: 0.1, queries: 3 }),
  ]) {
    const found = await attack.perturb(model, x as Tensor4D, y, { key: seedKey('attack') });
    adversarial.push(found.dataSync() as Float32Array);
    found.dispose();
  }
  const left = held().map((count, i) => count - before[i]);
  const weights = Float32Array.from(model.getWeights().flatMap((weight) => [...weight.dataSync()]));
  tf.dispose([x, y, hot]);
  model.optimizer.dispose();
  model.dispose();
  return { losses, weights, predictions, adversarial, left };
}

const distance = (a: Float32Array, b: Float32Array): number => {
  const norm = Math.hypot(...b);
  return Math.hypot(...a.map((value, i) => value - b[i])) / (norm || 1);
};

describe('foreign models on the engine', () => {
  before(() => registerEngine({ threads: 2 }));
  after(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('cpu');
  });

  for (const [name, make] of Object.entries(MODELS)) {
    it(`${name} trains and is attacked as on the reference backend`, async () => {
      const expected = await outcome('cpu', make);
      const ours = await outcome(ENGINE, make);
      expect(ours.left).to.deep.equal([0, 0]);
      ours.losses.forEach((loss, i) => {
        expect(loss).to.be.closeTo(expected.losses[i], 1e-4 * Math.abs(expected.losses[i]));
      });
      expect(distance(ours.weights, expected.weights)).to.be.below(1e-3);
      expect(distance(ours.predictions, expected.predictions)).to.be.below(1e-3);
      // Where a gradient is nearly 0, rounding decides its sign: a few pixels may go the other way.
      ours.adversarial.forEach((images, i) => {
        expect(distance(images, expected.adversarial[i]), `attack ${i}`).to.be.below(2e-2);
      });
    }).timeout(60_000);
  }
});
