import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import { countWeights, trainable } from '../../src/core/params.ts';
import { structure } from '../../src/core/structure.ts';
import { apply, init } from '../../src/models/init.ts';
import { checkWeights, flops, kernelsOf, parameterCounts, parametersOf } from '../../src/models/inspect.ts';
import { buildModel, type ModelName, models } from '../../src/models/models.ts';
import { eachShape } from '../../src/ops/network.ts';
import { useBackend } from '../backend.ts';

const names = Object.keys(models) as ModelName[];
const cifar = { inputShape: [32, 32, 3], classes: 10, width: 1 } as const;
const digits = { inputShape: [28, 28, 1], classes: 10, width: 1 } as const;

describe('models', () => {
  before(() => useBackend('cpu'));

  for (const name of names) {
    it(`${name} maps images to finite logits, and init and apply leak nothing`, () => {
      const before = tf.memory().numTensors;
      const program = buildModel(name, { inputShape: [32, 32, 3], classes: 7, width: 0.05 });
      const { params, state } = init(program, seedKey(1));
      checkWeights(program, params, state);
      const images = tf.tensor4d(uniform(seedKey(2), 2 * 32 * 32 * 3), [2, 32, 32, 3]);
      const { logits } = apply(program, params, state, images as Tensor4D, { training: false });
      expect(logits.shape).to.deep.equal([2, 7]);
      expect([...logits.dataSync()].every(Number.isFinite)).to.equal(true);
      tf.dispose([images, logits, ...Object.values(params).map(trainable), ...Object.values(state)]);
      expect(tf.memory().numTensors).to.equal(before);
    });
  }

  it('fit together at any shape and width: every layer takes what the one before it gives', () => {
    const extent = fc.integer({ min: 32, max: 70 });
    const options = fc.record({
      inputShape: fc.tuple(extent, extent, fc.constantFrom(1, 3)),
      classes: fc.integer({ min: 2, max: 20 }),
      width: fc.double({ min: 0.001, max: 1.5, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...names), options, (name, modelOptions) => {
        const program = buildModel(name, modelOptions);
        for (const { layer, input } of eachShape(program.layers, program.inputShape)) {
          const channels = input[input.length - 1];
          if (layer.kind === 'conv') expect(layer.inputs).to.equal(channels);
          if (layer.kind === 'dense') expect(layer.inputs).to.equal(channels);
          if (layer.kind === 'batchNorm') expect(layer.channels).to.equal(channels);
        }
        const parameters = parametersOf(program).map((parameter) => parameter.name);
        expect(new Set(parameters).size).to.equal(parameters.length);
      }),
      { numRuns: 60 },
    );
  });

  const published: [ModelName, typeof cifar | typeof digits, number][] = [
    ['lenet300', digits, 266_610],
    ['lenet5', digits, 431_080],
    ['vgg16', cifar, 14_724_042],
    ['vgg16-bsr', cifar, 15_311_818],
    ['resnet18', cifar, 11_173_962],
    ['resnet34', cifar, 21_282_122],
    ['resnet50', cifar, 23_520_842],
    ['preactresnet18', cifar, 11_172_170],
    ['wrn-28-4', cifar, 5_849_050],
    ['wrn-28-10', cifar, 36_479_194],
    ['wrn-34-10', cifar, 46_160_474],
  ];
  for (const [name, options, count] of published) {
    it(`${name} has the ${count} trainable parameters of the published network`, () => {
      expect(parameterCounts(buildModel(name, options)).trainable).to.equal(count);
    });
  }

  for (const name of ['mlp', 'cnn', 'lenet300', 'lenet5', 'vgg16-bsr', 'resnet18', 'wrn-16-4'] as const) {
    it(`${name} takes 28×28 digits`, () => {
      expect(models[name](digits).inputShape).to.deep.equal([28, 28, 1]);
    });
  }

  it('say how large their images have to be', () => {
    expect(() => buildModel('vgg16', digits)).to.throw(
      InputError,
      'vgg16 needs images of at least 32×32 pixels, got 28×28',
    );
    expect(() => buildModel('lenet5', { ...digits, inputShape: [8, 28, 1] })).to.throw(InputError, 'at least 16×16');
  });

  it('refuse options out of range and unknown names', () => {
    expect(() => buildModel('cnn', { ...cifar, width: 0 })).to.throw(InputError, 'above 0, got 0');
    expect(() => buildModel('cnn', { ...cifar, width: Number.NaN })).to.throw(InputError, 'got NaN');
    expect(() => buildModel('cnn', { ...cifar, classes: 1 })).to.throw(InputError, 'at least 2 classes, got 1');
    expect(() => buildModel('cnn', { ...cifar, inputShape: [32, 0, 3] })).to.throw(InputError, 'got [32,0,3]');
    expect(() => buildModel('vgg' as string, cifar)).to.throw(
      UsageError,
      'no model vgg. Did you mean vgg16? Models are mlp, cnn',
    );
    expect(() => buildModel('toString' as string, cifar)).to.throw(UsageError);
    expect(() => buildModel('wrn-12-1', cifar)).to.throw(UsageError, '6n + 4');
  });

  it('keep at least one channel however narrow', () => {
    for (const { shape } of kernelsOf(buildModel('resnet18', { ...cifar, width: 1e-6 }))) {
      expect(Math.min(...shape)).to.be.at.least(1);
    }
  });
});

describe('init', () => {
  before(() => useBackend('cpu'));

  it('draws kernels of variance 2 / fan-in, and the identity for batch norm', () => {
    const program = buildModel('resnet18', { ...cifar, width: 0.5 });
    const { params, state } = init(program, seedKey(3));
    const values = params['layer1.0.conv1.kernel'] as Tensor4D;
    const { mean, variance } = tf.moments(values);
    expect(values.shape).to.deep.equal([3, 3, 32, 32]);
    expect(mean.dataSync()[0]).to.be.closeTo(0, 0.003);
    expect(variance.dataSync()[0] / (2 / (9 * 32))).to.be.closeTo(1, 0.05);
    const constants = { 'bn1.gamma': 1, 'bn1.beta': 0, 'linear.bias': 0 };
    for (const [name, value] of Object.entries(constants)) {
      expect(new Set(trainable(params[name]).dataSync()), name).to.deep.equal(new Set([value]));
    }
    expect(new Set(state['bn1.moving_mean'].dataSync())).to.deep.equal(new Set([0]));
    expect(new Set(state['bn1.moving_variance'].dataSync())).to.deep.equal(new Set([1]));
  });

  it('gives equal weights for equal keys, others for another key, and none depends on the other layers', () => {
    const kernel = (width: number, seed: number) =>
      trainable(init(buildModel('mlp', { ...digits, width }), seedKey(seed)).params['fc1.kernel']).dataSync();
    expect(kernel(0.1, 1)).to.deep.equal(kernel(0.1, 1));
    expect(kernel(0.1, 1)).not.to.deep.equal(kernel(0.1, 2));
    const ten = init(buildModel('mlp', { ...digits, width: 0.1 }), seedKey(1)).params['fc2.kernel'];
    const twenty = init(buildModel('mlp', { ...digits, classes: 20, width: 0.1 }), seedKey(1)).params['fc2.kernel'];
    expect(trainable(ten).dataSync()).to.deep.equal(trainable(twenty).dataSync());
  });
});

describe('inspecting a model', () => {
  before(() => useBackend('cpu'));

  it('counts the multiply-adds of a forward pass, at the nonzeros only', () => {
    const program = buildModel('lenet5', digits);
    const { params } = init(program, seedKey(0));
    expect(kernelsOf(program).map(({ positions }) => positions)).to.deep.equal([24 * 24, 8 * 8, 1, 1]);
    expect(flops(program, params)).to.equal(500 * 24 * 24 + 25_000 * 8 * 8 + 400_000 + 5_000);
    const values = tf.tensor1d([1, 2, 3]);
    const sparse = { structure: structure([5, 5, 20, 50], Int32Array.of(0, 7, 24_999)), values };
    const pruned = { ...params, 'conv2.kernel': sparse };
    expect(flops(program, pruned)).to.equal(500 * 24 * 24 + 3 * 8 * 8 + 400_000 + 5_000);
    expect(countWeights(pruned)).to.deep.equal({ nonzeros: 500 + 3 + 400_000 + 5_000, size: 430_500 });
  });

  it('gives resnet18 the multiply-adds of the published network', () => {
    const total = kernelsOf(buildModel('resnet18', cifar)).reduce(
      (sum, { shape, positions }) => sum + shape.reduce((a, b) => a * b) * positions,
      0,
    );
    expect(total).to.equal(555_422_720);
  });

  it('refuses the weights of another model, naming the first that does not fit', () => {
    const program = buildModel('cnn', { ...digits, width: 0.1 });
    const { params, state } = init(program, seedKey(0));
    const other = init(buildModel('cnn', { ...digits, width: 0.2 }), seedKey(0));
    expect(() => checkWeights(program, other.params, state)).to.throw(
      InputError,
      'conv1.kernel of shape [3,3,1,6], the model needs [3,3,1,3]',
    );
    const { 'fc.bias': _, ...incomplete } = params;
    expect(() => checkWeights(program, incomplete, state)).to.throw(InputError, 'lack fc.bias');
    expect(() => checkWeights(program, { ...params, 'fc2.bias': params['fc.bias'] }, state)).to.throw(
      InputError,
      'have fc2.bias',
    );
    expect(() => checkWeights(program, params, {})).to.throw(InputError, 'lack bn1.moving_mean');
  });
});
