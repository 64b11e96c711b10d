import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { bim, classifier, robustAccuracy } from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

const SHAPE = [2, 2, 3] as const;

const someImages = (count: number) => tf.tensor4d(uniform(seedKey(1), count * 12), [count, ...SHAPE]);

/** LayersModels that end in the same dense layer, with softmax put on in different ways, and the one without it. */
function softmaxModels() {
  const dense = (activation?: 'softmax' | 'linear') =>
    layers.layers.dense({
      units: 3,
      activation,
      kernelInitializer: layers.initializers.randomNormal({ seed: 3, stddev: 3 }),
      biasInitializer: layers.initializers.randomNormal({ seed: 4 }),
    });
  const sequential = (...after: layers.layers.Layer[]) =>
    layers.sequential({
      layers: [layers.layers.flatten({ inputShape: [...SHAPE] }), layers.layers.dropout({ rate: 0.5 }), ...after],
    });
  const input = layers.input({ shape: [...SHAPE] });
  const nested = sequential(dense('softmax'));
  return {
    logits: sequential(dense('linear')),
    softmax: {
      'a dense layer with softmax': sequential(dense('softmax')),
      'a softmax layer': sequential(dense(), layers.layers.softmax()),
      'an activation layer': sequential(dense(), layers.layers.activation({ activation: 'softmax' })),
      'a nested model': layers.model({ inputs: input, outputs: nested.apply(input) as layers.SymbolicTensor }),
    },
  };
}

/** A layer of twelve numbers to twelve, with softmax, and the images that it takes when flattened. */
const sharedDense = () => ({
  input: layers.input({ shape: [...SHAPE] }),
  dense: layers.layers.dense({
    units: 12,
    activation: 'softmax',
    kernelInitializer: layers.initializers.randomNormal({ seed: 5, stddev: 3 }),
  }),
});

/** A layer that calls another one, which is no node of the model. */
class Calling extends layers.layers.Layer {
  static readonly className = 'Calling';
  readonly #inner: layers.layers.Layer;
  constructor(inner: layers.layers.Layer) {
    super({});
    this.#inner = inner;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]) {
    return this.#inner.apply(inputs) as tf.Tensor;
  }
}

type Use = (x: layers.SymbolicTensor) => layers.SymbolicTensor;

/** LayersModels whose last layer also runs somewhere inside, found in different ways. */
const MODELS_WITH_INNER_USES: Readonly<Record<string, () => layers.LayersModel>> = {
  'a layer that is used twice': () =>
    builtWith(({ dense }) => {
      const use: Use = (x) => dense.apply(x) as layers.SymbolicTensor;
      return (x) => use(use(x));
    }),
  'a softmax layer that is used twice': () =>
    builtWith(() => {
      const softmax = layers.layers.softmax();
      const dense = () =>
        layers.layers.dense({ units: 12, kernelInitializer: layers.initializers.randomNormal({ seed: 6 }) });
      const use: Use = (x) => softmax.apply(dense().apply(x)) as layers.SymbolicTensor;
      return (x) => use(use(x));
    }),
  'a submodel that is used twice': () =>
    builtWith(({ dense }) => {
      const inner = layers.sequential({ layers: [layers.layers.inputLayer({ inputShape: [12] }), dense] });
      const use: Use = (x) => inner.apply(x) as layers.SymbolicTensor;
      return (x) => use(use(x));
    }),
  'a layer that a submodel uses too': () =>
    builtWith(({ dense }) => {
      const inner = layers.sequential({ layers: [layers.layers.inputLayer({ inputShape: [12] }), dense] });
      return (x) => dense.apply(inner.apply(x)) as layers.SymbolicTensor;
    }),
  'a layer that another layer calls': () =>
    builtWith(({ dense }) => {
      const last: Use = (x) => dense.apply(x) as layers.SymbolicTensor;
      return (x) => last(new Calling(dense).apply(x) as layers.SymbolicTensor);
    }),
};

/** A model of flattened images and then what `make` makes of a shared layer. */
function builtWith(make: (shared: ReturnType<typeof sharedDense>) => Use): layers.LayersModel {
  const shared = sharedDense();
  const flat = layers.layers.flatten().apply(shared.input) as layers.SymbolicTensor;
  return layers.model({ inputs: shared.input, outputs: make(shared)(flat) });
}

describe('classifier', () => {
  before(() => useBackend('cpu'));
  beforeEach(() => tf.engine().startScope());
  afterEach(() => tf.engine().endScope());

  /** A model whose logits are its inputs, so that a test sees what it was given. */
  const seen = (inputs: Tensor4D) => tf.reshape(inputs, [inputs.shape[0], -1]) as Tensor2D;
  const shown = (options: Parameters<typeof classifier>[1], images: Tensor4D) =>
    Array.from(classifier(seen, { output: 'logits', ...options })(images).dataSync());

  it('scales pixels to the bounds of the model, then takes off the mean and divides by the deviation', () => {
    const images = tf.tensor4d([0, 0.5, 1, 0.25, 0.5, 0.75], [1, 1, 2, 3]);
    expect(shown({}, images)).to.deep.equal([0, 0.5, 1, 0.25, 0.5, 0.75]);
    expect(shown({ bounds: [-1, 1] }, images)).to.deep.equal([-1, 0, 1, -0.5, 0, 0.5]);
    const given = { bounds: [0, 255], mean: [100, 120, 140], std: [50, 60, 70] } as const;
    const expected = [0, 127.5, 255, 63.75, 127.5, 191.25].map(
      (x, i) => (x - [100, 120, 140][i % 3]) / [50, 60, 70][i % 3],
    );
    shown(given, images).forEach((value, i) => {
      expect(value).to.be.closeTo(expected[i], 1e-5);
    });
    expect(shown({ mean: 0.5, std: 0.25 }, images)).to.deep.equal([-2, 0, 2, -1, 0, 1]);
  });

  it('gives a model of layout NCHW its channels first', () => {
    const images = tf.tensor4d([1, 2, 3, 4, 5, 6], [1, 1, 2, 3]);
    expect(shown({ layout: 'NCHW' }, images)).to.deep.equal([1, 4, 2, 5, 3, 6]);
  });

  for (const [title, model] of Object.entries(softmaxModels().softmax)) {
    it(`takes the softmax off ${title}, and leaves the model as it was`, () => {
      const images = someImages(4);
      const before = (model.predict(images) as Tensor2D).dataSync();
      const warnings: string[] = [];
      const logits = classifier(model, { warn: (message) => warnings.push(message) })(images);
      const expected = softmaxModels().logits.predict(images) as Tensor2D;
      expect(Array.from(logits.dataSync())).to.deep.equal(Array.from(expected.dataSync()));
      expect(warnings).to.deep.equal([]);
      expect(Array.from((model.predict(images) as Tensor2D).dataSync())).to.deep.equal(Array.from(before));
    });
  }

  it('takes a sigmoid off too', () => {
    const squashed = (activation: 'linear' | 'sigmoid') =>
      layers.sequential({
        layers: [
          layers.layers.flatten({ inputShape: [...SHAPE] }),
          layers.layers.dense({
            units: 3,
            activation,
            kernelInitializer: layers.initializers.randomNormal({ seed: 3 }),
          }),
        ],
      });
    const images = someImages(2);
    const expected = squashed('linear').predict(images) as Tensor2D;
    const logits = classifier(squashed('sigmoid'))(images);
    expect(Array.from(logits.dataSync())).to.deep.equal(Array.from(expected.dataSync()));
  });

  for (const [title, make] of Object.entries(MODELS_WITH_INNER_USES)) {
    it(`leaves the softmax of ${title}, which the model needs inside, and warns`, () => {
      const model = make();
      const images = someImages(10);
      const expected = tf.log(model.predict(images) as Tensor2D).dataSync();
      const warnings: string[] = [];
      const logits = classifier(model, { warn: (message) => warnings.push(message) })(images).dataSync();
      logits.forEach((logit, i) => {
        expect(logit).to.be.closeTo(expected[i], 1e-4);
      });
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(/softmax that ends the model was kept|returns probabilities/);
    });
  }

  it('says that a sigmoid was kept', () => {
    const model = builtWith(() => {
      const sigmoid = layers.layers.activation({ activation: 'sigmoid', name: 'squash' });
      const use: Use = (x) => sigmoid.apply(x) as layers.SymbolicTensor;
      return (x) => use(use(x));
    });
    const warnings: string[] = [];
    classifier(model, { warn: (message) => warnings.push(message) })(someImages(2));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain('sigmoid').and.to.contain('layer squash is used 2 times');
  });

  it('takes the softmax off a layer that another model uses too', () => {
    const { input, dense } = sharedDense();
    const inner = dense.apply(layers.layers.flatten().apply(input)) as layers.SymbolicTensor;
    layers.model({ inputs: input, outputs: dense.apply(inner) as layers.SymbolicTensor });
    const model = layers.model({ inputs: input, outputs: inner });
    const images = someImages(3);
    const logits = classifier(model)(images);
    const expected = model.predict(images) as Tensor2D;
    expect(tf.max(tf.abs(tf.sub(tf.softmax(logits), expected))).dataSync()[0]).to.be.below(1e-6);
    expect(tf.max(tf.sum(logits, 1)).dataSync()[0]).to.be.above(1.5);
  });

  it('leaves a LayersModel that ends in logits alone', () => {
    const { logits } = softmaxModels();
    const images = someImages(3);
    const expected = (logits.predict(images) as Tensor2D).dataSync();
    expect(Array.from(classifier(logits)(images).dataSync())).to.deep.equal(Array.from(expected));
  });

  it('puts the softmax back when the model throws', () => {
    const model = softmaxModels().softmax['a dense layer with softmax'];
    const images = someImages(1);
    const before = (model.predict(images) as Tensor2D).dataSync();
    expect(() => classifier(model)(tf.ones([1, 3, 3, 3]) as Tensor4D)).to.throw();
    expect(Array.from((model.predict(images) as Tensor2D).dataSync())).to.deep.equal(Array.from(before));
  });

  it('takes logarithms of probabilities from a function, and warns once', () => {
    const net = smoothNet(3, 4);
    const warnings: string[] = [];
    const model = classifier((images) => tf.softmax(net.classifier(images)), { warn: (text) => warnings.push(text) });
    const logits = model(net.images);
    model(net.images);
    const distance = tf.sub(logits, tf.logSoftmax(net.classifier(net.images)));
    expect(tf.max(tf.abs(distance)).dataSync()[0]).to.be.below(1e-5);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/probabilities.*Return logits/);
    net.dispose();
  });

  it('is attacked through its logits, also without a wrapper, where the softmax saturates', async () => {
    const images = someImages(30);
    const sharp = (ending: 'softmax' | 'linear') =>
      layers.sequential({
        layers: [
          layers.layers.flatten({ inputShape: [...SHAPE] }),
          layers.layers.dense({
            units: 3,
            activation: ending,
            kernelInitializer: layers.initializers.randomNormal({ seed: 3, stddev: 200 }),
          }),
        ],
      });
    const labels = tf.argMax(sharp('linear').predict(images) as Tensor2D, 1) as tf.Tensor1D;
    const attack = bim({ epsilon: 0.4, steps: 5, loss: 'cw' });
    const robust = async (model: Parameters<typeof robustAccuracy>[0]) =>
      (await robustAccuracy(model, [attack], images, labels)).union;
    const logits = await robust(sharp('linear'));
    expect(await robust(sharp('softmax'))).to.equal(logits);
    expect(await robust(classifier(sharp('softmax')))).to.equal(logits);
    expect(await robust(classifier(sharp('softmax'), { output: 'logits' }))).to.be.above(logits + 0.1);
  });

  it('runs dropout and batch norm in evaluation mode, and moves no statistics', async () => {
    const model = layers.sequential({
      layers: [
        layers.layers.batchNormalization({ inputShape: [...SHAPE] }),
        layers.layers.flatten(),
        layers.layers.dropout({ rate: 0.5 }),
        layers.layers.dense({ units: 3, kernelInitializer: layers.initializers.randomNormal({ seed: 1 }) }),
      ],
    });
    const images = someImages(4);
    const labels = tf.argMax(model.predict(images) as Tensor2D, 1);
    const weights = () => model.getWeights().flatMap((weight) => Array.from(weight.dataSync()));
    const before = weights();
    const tensors = tf.memory().numTensors;
    const adversarial = await bim({ epsilon: 0.1 }).perturb(model, images, labels as tf.Tensor1D);
    adversarial.dispose();
    expect(tf.memory().numTensors).to.equal(tensors);
    expect(weights()).to.deep.equal(before);
  });

  it('has gradients through batch norms without scale and offset, nested ones too', () => {
    const [scale, center] = [false, false];
    const norm = (options: object) => layers.layers.batchNormalization({ inputShape: [...SHAPE], ...options });
    const dense = layers.layers.dense({
      units: 3,
      kernelInitializer: layers.initializers.randomNormal({ seed: 1 }),
      activation: 'softmax',
    });
    const part = layers.sequential({ layers: [norm({ scale, center })] });
    const input = layers.input({ shape: [...SHAPE] });
    const normed = norm({ scale }).apply(part.apply(input)) as layers.SymbolicTensor;
    const outputs = dense.apply(layers.layers.flatten().apply(normed)) as layers.SymbolicTensor;
    const model = layers.model({ inputs: input, outputs });
    const [kernel, bias] = dense.getWeights();
    const images = someImages(2);
    const factor = 1 / Math.sqrt(1 + 1e-3);
    const expected = (x: Tensor4D) =>
      tf.add(tf.matMul(tf.mul(tf.reshape(x, [2, -1]), factor ** 2), kernel as Tensor2D), bias) as Tensor2D;
    const gradientOf = (logits: (x: Tensor4D) => Tensor2D) =>
      tf
        .grad((x) => tf.sum(tf.square(logits(x as Tensor4D))))(images)
        .dataSync();
    const actual = gradientOf(classifier(model));
    gradientOf(expected).forEach((value, i) => {
      expect(actual[i]).to.be.closeTo(value, 1e-4);
    });
    expect((part.layers[0] as { gamma?: unknown }).gamma ?? null).to.equal(null);
  });

  it('says which option does not fit', () => {
    const images = someImages(1);
    expect(() => classifier(seen, { std: 0 })).to.throw(InputError, /std: expected numbers above 0/);
    expect(() => classifier(seen, { bounds: [1, 0] })).to.throw(InputError, /bounds/);
    expect(() => classifier(seen, { layout: 'CHW' as 'NCHW' })).to.throw(
      InputError,
      /layout is one of NHWC, NCHW; CHW/,
    );
    expect(() => classifier(seen, { mean: [1, 2] })(images)).to.throw(InputError, /each of 3 channels, got 2/);
  });
});
