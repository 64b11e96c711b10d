import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { bpda, type Classifier, InputError, pgd, success } from '../../attacks/index.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

const round = (images: Tensor4D) => tf.div(tf.round(tf.mul(images, 7)), 7) as Tensor4D;
const same = (images: Tensor4D) => images;

describe('bpda', () => {
  let net: ReturnType<typeof smoothNet>;
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(5, 12);
  });
  after(() => net.dispose());

  it('computes the forward function to the bit, and leaves one tensor', () => {
    const images = tf.randomUniform([3, 4, 4, 1], -1e3, 1e3, 'float32', 1) as Tensor4D;
    const third = (x: Tensor4D) => tf.div(x, 3) as Tensor4D;
    const tensors = tf.memory().numTensors;
    const step = bpda(round, third)(images);
    expect(tf.memory().numTensors).to.equal(tensors + 1);
    const exact = round(images);
    expect(Array.from(step.dataSync())).to.deep.equal(Array.from(exact.dataSync()));
    tf.dispose([images, step, exact]);
  });

  it('has the gradient of the backward function, at the place where it is', () => {
    const images = tf.tensor4d([0.1, 0.2, 0.3, 0.4], [1, 2, 2, 1]);
    const backward = (x: Tensor4D) => tf.mul(tf.square(x), 5) as Tensor4D;
    const steps: readonly ((x: Tensor4D) => Tensor4D)[] = [
      round,
      // What has no gradient at all, since it reads values.
      (x) =>
        tf.tensor4d(
          Float32Array.from(x.dataSync(), (pixel) => pixel + 1),
          x.shape,
        ),
      // The input itself.
      same,
    ];
    for (const forward of steps) {
      const slope = tf.tidy(() =>
        Array.from(
          tf
            .grad((x: tf.Tensor) => tf.sum(tf.square(bpda(forward, backward)(x as Tensor4D))))(images)
            .dataSync(),
        ),
      );
      const value = forward(images);
      const values = Array.from(value.dataSync());
      // d Σ y² / dx = 2 y · 10 x, with y the forward value.
      const pixels = images.dataSync();
      slope.forEach((is, i) => {
        expect(is).to.be.closeTo(2 * values[i] * 10 * pixels[i], 1e-5);
      });
      if (forward !== same) value.dispose();
    }
    images.dispose();
  });

  it('lets an attack through a step that stops the gradient', async () => {
    const defended: Classifier = (images) => net.classifier(round(images));
    const adapted: Classifier = (images) => net.classifier(bpda(round, same)(images));
    const labels = tf.tidy(() => tf.argMax(defended(net.images), 1) as Tensor1D);
    const attack = pgd({ epsilon: 0.12, steps: 20, randomStart: false });
    const fooled = async (model: Classifier) => {
      const adversarial = await attack.perturb(model, net.images, labels);
      // Whatever was attacked, the defence itself is asked.
      const flags = await success(defended, adversarial, labels);
      adversarial.dispose();
      return flags.filter(Boolean).length;
    };
    const tensors = tf.memory().numTensors;
    expect(await fooled(defended)).to.equal(0);
    expect(await fooled(adapted)).to.be.above(5);
    expect(tf.memory().numTensors).to.equal(tensors);
    labels.dispose();
  });

  it('refuses functions whose results have different shapes', () => {
    const smaller = (images: Tensor4D) => tf.slice(images, [0, 0, 0, 0], [-1, 2, 2, -1]);
    const tensors = tf.memory().numTensors;
    expect(() => bpda(smaller, same)(net.images)).to.throw(
      InputError,
      /expected forward and backward to return tensors of one shape, got \[12,2,2,2\] and \[12,3,3,2\]/,
    );
    expect(tf.memory().numTensors).to.equal(tensors);
  });
});
