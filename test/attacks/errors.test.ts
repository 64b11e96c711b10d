import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  type AttackedModel,
  type AttackName,
  apgd,
  attackNorms,
  attacks,
  autoattack,
  cascade,
  classifier,
  cw,
  fgsm,
  type Goal,
  type Loss,
  miFgsm,
  type PerturbOptions,
  pgd,
  quantised,
  square,
  success,
} from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { useBackend } from '../backend.ts';
import { rejection, smoothNet } from './nets.ts';

describe('bad input to an attack', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(5, 3);
  });
  after(() => net.dispose());

  const options: [title: string, make: () => unknown, message: RegExp][] = [
    ['a negative epsilon', () => pgd({ epsilon: -0.1 }), /epsilon: expected a radius of 0 or more.*got -0.1/],
    ['an epsilon that is no number', () => fgsm({ epsilon: Number.NaN }), /epsilon: expected a radius.*got NaN/],
    [
      'an epsilon that float32 does not hold',
      () => apgd({ epsilon: 1e39, norm: 'l2' }),
      /epsilon: expected a radius.*got 1e\+39/,
    ],
    [
      'bounds that float32 does not hold',
      () => pgd({ epsilon: 0.1, bounds: [-3e38, 3e38] }),
      /bounds: expected \[lowest pixel, highest pixel\]/,
    ],
    [
      'a step as a text',
      () => pgd({ epsilon: 0.1, stepSize: '0.1' as unknown as number }),
      /stepSize: expected a number above 0, got "0\.1"/,
    ],
    ['an epsilon in units of bytes', () => pgd({ epsilon: 8 }), /did you mean 8\/255\?/],
    [
      'fractional steps',
      () => pgd({ epsilon: 0.1, steps: 2.5 }),
      /steps: expected a whole number of at least 1, got 2.5/,
    ],
    ['no steps', () => pgd({ epsilon: 0.1, steps: 0 }), /steps: expected a whole number of at least 1, got 0/],
    ['no restarts', () => pgd({ epsilon: 0.1, restarts: 0 }), /restarts: expected a whole number of at least 1/],
    ['a step of 0', () => pgd({ epsilon: 0.1, stepSize: 0 }), /stepSize: expected a number above 0, got 0/],
    ['a negative momentum', () => pgd({ epsilon: 0.1, momentum: -1 }), /momentum: expected a number of 0 or more/],
    [
      'an unknown norm',
      () => pgd({ epsilon: 0.1, norm: 'l3' as 'l2' }),
      /norm: expected one of linf, l2, l1, got "l3"/,
    ],
    ['an unknown loss', () => pgd({ epsilon: 0.1, loss: 'mse' as 'kl' }), /ce, cw, dlr, kl.*got "mse"/],
    [
      'bounds that are none',
      () => pgd({ epsilon: 0.1, bounds: [1, 1] }),
      /bounds: expected \[lowest pixel, highest pixel\]/,
    ],
    [
      'a number that float32 does not hold',
      () => pgd({ epsilon: 0.1, stepSize: 1e39 }),
      /stepSize: expected a number above 0, got 1e\+39\. Float32 holds numbers up to 3\.4e38\./,
    ],
    [
      'a radius whose steps float32 does not hold',
      () => pgd({ epsilon: 1e38, bounds: [0, 3e38] }),
      /epsilon: expected a radius .* got 1e\+38\. Float32 holds/,
    ],
    [
      'restarts without randomness',
      () => pgd({ epsilon: 0.1, restarts: 2, randomStart: false }),
      /restarts: expected 1 without a random start.*Set randomStart/,
    ],
    ["a norm as foolbox's", () => pgd({ epsilon: 0.1, norm: 'Linf' as 'linf' }), /got "Linf"\. Did you mean linf\?/],
    ['a norm as a number', () => apgd({ epsilon: 0.1, norm: 2 as never }), /got 2\. Did you mean l2\?/],
    ['a loss by its long name', () => pgd({ epsilon: 0.1, loss: 'cross-entropy' as 'ce' }), /Did you mean ce\?/],
    ['a number for options', () => pgd((8 / 255) as never), /pgd: expected its options as a record.*got 0\.03/],
  ];
  for (const [title, make, message] of options) {
    it(`${title} is refused when the attack is made`, () => {
      expect(make).to.throw(InputError, message);
    });
  }

  for (const name of Object.keys(attacks) as AttackName[]) {
    it(`${name} refuses an option that it does not have`, () => {
      const norm = attackNorms[name][0];
      const make = () => attacks[name]({ norm, epsilon: 0.1, restart: 20 } as never);
      expect(make).to.throw(InputError, /has no option restart\..* Its options are .*epsilon/);
    });
  }

  const foreign: [make: (options: never) => unknown, option: string, meant: string][] = [
    [pgd, 'alpha', 'stepSize'],
    [pgd, 'eps_iter', 'stepSize'],
    [pgd, 'num_steps', 'steps'],
    [pgd, 'nb_iter', 'steps'],
    [pgd, 'iters', 'steps'],
    [pgd, 'eps', 'epsilon'],
    [pgd, 'random_start', 'randomStart'],
    [pgd, 'rand_init', 'randomStart'],
    [pgd, 'restart', 'restarts'],
    [pgd, 'ord', 'norm'],
    [miFgsm, 'decay', 'momentum'],
    [apgd, 'eot_iter', 'eot'],
    [square, 'num_samples', 'eot'],
    [square, 'n_queries', 'queries'],
    [square, 'steps', 'queries'],
    [autoattack, 'n_queries', 'queries'],
    [cw, 'kappa', 'confidence'],
    [cw, 'lr', 'learningRate'],
    [(options) => classifier((x) => tf.zeros([x.shape[0], 2]), options), 'stds', 'std'],
    [(options) => quantised(pgd({ epsilon: 0.1 }), options), 'level', 'levels'],
    [(options) => cascade([pgd({ epsilon: 0.1 })], options), 'clip_min', 'bounds'],
  ];
  for (const [make, option, meant] of foreign) {
    it(`${option} is refused, with what it is called here: ${meant}`, () => {
      expect(() => make({ [option]: 1 } as never)).to.throw(InputError, `no option ${option}. Did you mean ${meant}?`);
    });
  }

  it('allows epsilon above 1 in l2 and l1, and up to the range of pixels in linf', () => {
    expect(pgd({ epsilon: 12, norm: 'l1' }).epsilon).to.equal(12);
    expect(pgd({ epsilon: 2, norm: 'l2' }).epsilon).to.equal(2);
    expect(pgd({ epsilon: 8, bounds: [0, 255] }).epsilon).to.equal(8);
  });

  interface Call {
    readonly model?: AttackedModel;
    readonly images?: () => tf.Tensor;
    readonly goal?: () => tf.Tensor | Goal;
    readonly perturb?: () => PerturbOptions;
    readonly loss?: Loss;
  }
  const withPixel = (value: number) => () => {
    const pixels = Float32Array.from(net.images.dataSync());
    pixels[20] = value;
    return tf.tensor4d(pixels, net.images.shape);
  };
  const labels =
    (...values: number[]) =>
    () =>
      tf.tensor1d(values, 'int32');
  const dilated = () => tf.ones([2, 2, net.images.shape[3], net.images.shape[3]]) as Tensor4D;
  const unfinished = tf.customGrad((x) => ({
    value: tf.clone(x as Tensor4D),
    gradFunc: () => {
      throw new Error('not written yet');
    },
  })) as (x: Tensor4D) => Tensor4D;
  const calls: [title: string, call: Call, message: RegExp][] = [
    ['a single image', { images: () => tf.zeros([3, 3, 2]) }, /got \[3,3,2\].*expandDims/],
    ['bytes', { images: () => tf.cast(net.images, 'int32') }, /float32 pixels, got int32.*divide bytes by 255/],
    ['NaN pixels', { images: withPixel(Number.NaN) }, /a pixel of image 1 is NaN/],
    ['pixels up to 255', { images: withPixel(255) }, /expected pixels in \[0, 1\]; a pixel of image 1 is 255/],
    ['a pixel just outside', { images: withPixel(-0.001) }, /expected pixels in \[0, 1\]/],
    ['one-hot labels', { goal: () => tf.oneHot(labels(0, 1, 2)(), 5) }, /one-hot.*argMax\(-1\)/],
    ['labels of another number', { goal: labels(0, 1) }, /class numbers \[3\], one an image, got a tensor \[2\]/],
    ['a label that the model has not', { goal: labels(0, 5, 1) }, /labels: expected classes 0 … 4.*got 5 \(number 1\)/],
    ['a negative label', { goal: labels(0, -1, 1) }, /class numbers from 0; number 1 is -1/],
    ['fractional labels', { goal: () => tf.tensor1d([0, 0.5, 1]) }, /number 1 is 0.5/],
    [
      'a target that the model has not',
      { goal: () => ({ kind: 'targeted', targets: labels(9, 1, 1)() as Tensor1D }) },
      /targets: expected classes 0 … 4.*got 9 \(number 0\)/,
    ],
    [
      'an unknown goal',
      { goal: () => ({ kind: 'any' }) as unknown as Goal },
      /goal: expected labels, .*got the kind "any"/,
    ],
    [
      'samples of another number',
      { perturb: () => ({ samples: [1, 2] }) },
      /samples must hold one data-set index for each of the 3 images.*got 2/,
    ],
    ['an unknown option', { perturb: () => ({ seed: 3 }) as PerturbOptions }, /no option seed. Did you mean key\?/],
    [
      'an unknown mode',
      { perturb: () => ({ mode: 'training' as 'train' }) },
      /mode: expected evaluate or train, got "training"/,
    ],
    [
      'a start of another shape',
      { perturb: () => ({ start: tf.zeros([3, 2, 2, 2]) as Tensor4D }) },
      /start: expected the shape of the images, \[3,3,3,2\], got \[3,2,2,2\]/,
    ],
    ['a start with NaN', { perturb: () => ({ start: withPixel(Number.NaN)() }) }, /start holds a pixel that is NaN/],
    ['what is no model', { model: {} as AttackedModel }, /A model is a function \(images\) => logits/],
    [
      'a model that returns images',
      { model: ((x: Tensor4D) => x) as never },
      /one tensor of logits \[3, classes\], got a tensor/,
    ],
    ['a model of one class', { model: (x) => tf.zeros([x.shape[0], 1]) as Tensor2D }, /at least 2 classes/],
    [
      'a model that is not differentiable',
      { model: (x) => tf.tensor2d(x.dataSync(), [x.shape[0], 18]) },
      /no gradient with respect to the images/,
    ],
    [
      'a model with an op that has no gradient',
      { model: (x) => net.classifier(tf.add(x, tf.mul(tf.cumprod(x, 1), 0))) },
      /no gradient with respect to the images: the op Cumprod has no gradient\. Expected .*Write the model with other ops/,
    ],
    [
      'a model with an op whose gradient is not supported',
      {
        model: (x) => net.classifier(tf.fused.conv2d({ x, filter: dilated(), strides: 1, pad: 'same', dilations: 2 })),
      },
      /no gradient with respect to the images: Error in gradient of fused conv2D: dilation rates .* '2'\. Expected/,
    ],
    [
      'a model whose own gradient throws',
      { model: (x) => net.classifier(unfinished(x)) },
      /Error in gradient of a tf\.customGrad: not written yet\. Expected/,
    ],
    ['a model that gives NaN', { model: (x) => tf.mul(net.classifier(x), Number.NaN) }, /NaN or infinite logits/],
    [
      'a loss of one number',
      { loss: (logits) => tf.mean(logits) as never },
      /one value per sample, a tensor of shape \[3\], got \[\]/,
    ],
  ];
  for (const [title, call, message] of calls) {
    it(`${title}: says what is wrong and leaves no tensor behind`, async () => {
      const attack = pgd({ epsilon: 0.1, steps: 2, loss: call.loss });
      const images = (call.images?.() ?? tf.clone(net.images)) as Tensor4D;
      const goal = (call.goal?.() ?? tf.clone(net.labels)) as Tensor1D;
      const perturb = call.perturb?.();
      const tensors = tf.memory().numTensors;
      const error = await rejection(attack.perturb(call.model ?? net.classifier, images, goal, perturb));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
      expect(tf.memory().numTensors).to.equal(tensors);
      tf.dispose([images, goal, perturb?.start ?? []]);
    });
  }

  it('takes pixels that rounding has put outside, and returns them inside', async () => {
    const images = withPixel(-2.98e-8)();
    for (const mode of ['train', 'evaluate'] as const) {
      for (const epsilon of [0, 0.1]) {
        const adversarial = await pgd({ epsilon }).perturb(net.classifier, images, net.labels, { mode });
        expect(Math.min(...adversarial.dataSync())).to.be.at.least(0);
        adversarial.dispose();
      }
    }
    images.dispose();
  });

  it('takes labels as whole numbers of any type', async () => {
    const whole = tf.cast(net.labels, 'float32') as Tensor1D;
    expect(await success(net.classifier, net.images, whole)).to.deep.equal([false, false, false]);
    whole.dispose();
  });

  it('has success say the same of goals that it cannot check', async () => {
    const error = await rejection(success(net.classifier, net.images, tf.tensor1d([0, 1, 7], 'int32')));
    expect(error.message).to.match(/got 7 \(number 2\)/);
  });

  it('refuses losses that the goal or the classes do not allow', async () => {
    const targets: Goal = { kind: 'targeted', targets: net.labels };
    const attempt = (model: ReturnType<typeof smoothNet>, loss: 'kl' | 'dlr', goal: Goal | Tensor1D) =>
      rejection(pgd({ epsilon: 0.1, loss }).perturb(model.classifier, model.images, goal, { mode: 'train' }));
    expect((await attempt(net, 'kl', targets)).message).to.match(/'kl'.*cannot be used with a targeted goal/);
    const two = smoothNet(2, 2);
    expect((await attempt(two, 'dlr', two.labels)).message).to.match(/DLR compares 3 classes; the model has 2/);
    const three = smoothNet(3, 2);
    const targeted: Goal = { kind: 'targeted', targets: three.labels };
    expect((await attempt(three, 'dlr', targeted)).message).to.match(/targeted loss DLR compares 4 classes.*has 3/);
    two.dispose();
    three.dispose();
  });
});
