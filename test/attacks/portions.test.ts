// A model is asked in portions that fit into memory, and gives the same logits and gradients as at once.
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { crossEntropy, lossGradient } from '../../attacks/index.ts';
import { inPortions, type PortionOptions, portionsOf } from '../../attacks/models/portions.ts';
import type { Classifier } from '../../attacks/types.ts';
import { normal, seedKey, uniform } from '../../src/core/key.ts';
import { expectSamePixels, useBackend } from '../backend.ts';

const SIZE = [6, 6, 2] as const;
const PIXELS = 72;

const imagesOf = (count: number): Tensor4D =>
  tf.tensor4d(uniform(seedKey('images'), count * PIXELS), [count, ...SIZE]) as Tensor4D;

const kernel = normal(seedKey('kernel'), PIXELS * 3);

/** A small network that notes how many images it gets, and has no memory for more than `most`. */
function network(most = Number.POSITIVE_INFINITY) {
  const sizes: number[] = [];
  const model: Classifier = (images) => {
    const [count] = images.shape;
    sizes.push(count);
    if (count > most) throw new RangeError('Array buffer allocation failed');
    const features = tf.relu(tf.sub(tf.reshape(images, [count, PIXELS]), 0.4));
    return tf.matMul(features, tf.tensor2d(kernel, [PIXELS, 3])) as Tensor2D;
  };
  return { model, sizes };
}

const labelsOf = (count: number) =>
  tf.tensor1d(
    Array.from({ length: count }, (_, i) => i % 3),
    'int32',
  );

const portioned = (model: Classifier, options: Partial<PortionOptions>): Classifier =>
  inPortions(model, portionsOf({ available: () => 2 ** 40, ...options }));

/** Logits and input gradients of so many images. */
function answers(model: Classifier, count: number): readonly Float32Array[] {
  return tf.tidy(() => {
    const images = imagesOf(count);
    const found = lossGradient(model, crossEntropy, { kind: 'untargeted', labels: labelsOf(count) }, images);
    return [model(images), found.logits, found.loss, found.gradient].map((tensor) =>
      Float32Array.from(tensor.dataSync()),
    );
  });
}

function expectSameAnswers(found: readonly Float32Array[], expected: readonly Float32Array[]): void {
  for (const [i, values] of found.entries()) expectSamePixels(values, expected[i]);
}

describe('a model in portions', () => {
  before(() => useBackend('cpu'));

  it('gets as many images at once as are asked for, and answers as at once', () => {
    const { model, sizes } = network();
    expectSameAnswers(answers(portioned(model, { size: 4 }), 10), answers(network().model, 10));
    expect(sizes).to.deep.equal([4, 4, 2, 4, 4, 2]);
  });

  it('gets as many as fit by what the first images take', () => {
    const { model, sizes } = network();
    const tensors = tf.memory().numTensors;
    answers(portioned(model, { available: () => 32_000 }), 100);
    expect(tf.memory().numTensors).to.equal(tensors);
    const [first, ...rest] = sizes;
    expect(first).to.equal(4);
    const most = Math.max(...rest);
    expect(most).to.be.within(5, 60);
    expect(rest.filter((size) => size === most)).to.have.length.above(1);
  });

  it('gets all at once, but for the first portions, where memory is plenty', () => {
    const { model, sizes } = network();
    answers(portioned(model, {}), 200);
    expect(sizes).to.deep.equal([4, 32, 164, 4, 32, 164]);
  });

  it('gets half of what did not fit, and says so once', () => {
    const said: string[] = [];
    const { model, sizes } = network(6);
    const asked = portioned(model, { size: 20, warn: (message) => said.push(message) });
    const tensors = tf.memory().numTensors;
    expectSameAnswers(answers(asked, 20), answers(network().model, 20));
    answers(asked, 20);
    expect(tf.memory().numTensors).to.equal(tensors);
    expect(sizes.slice(0, 6)).to.deep.equal([20, 10, 5, 5, 5, 5]);
    expect(sizes.filter((size) => size > 6)).to.deep.equal([20, 10, 20, 10]);
    expect(said).to.deep.equal(['20 images at once do not fit into memory; from here on the model gets 5.']);
  });

  it('passes on what is no lack of memory, and a lack of memory for one image', () => {
    const broken = portioned(
      () => {
        throw new Error('broken');
      },
      { size: 4 },
    );
    expect(() => answers(broken, 10)).to.throw('broken');
    expect(() => answers(portioned(network(0).model, { size: 4 }), 10)).to.throw('allocation failed');
  });

  it('measures on the engine what its heap holds, and halves what its heap cannot hold', async function () {
    await useBackend('engine');
    if (tf.getBackend() !== 'equipoise') this.skip();
    const backend = tf.backend() as unknown as { peakBytes(work: () => void): number; readonly unusedBytes: number };
    const unused = backend.unusedBytes;
    const peak = backend.peakBytes(() => tf.tidy(() => void tf.add(tf.ones([1 << 18]), 1).dataSync()));
    expect(peak).to.be.within(2 << 20, (2 << 20) + 4096);
    expect(backend.unusedBytes).to.equal(unused);
    const hungry: Classifier = (images) => {
      const wide = tf.tile(tf.reshape(tf.slice(images, 0, [-1, 1, 1, 1]), [-1, 1]), [1, 2 ** 28]);
      return tf.slice(wide, 0, [-1, 3]) as Tensor2D;
    };
    const said: string[] = [];
    const asked = portioned(hungry, { size: 4, warn: (message) => said.push(message) });
    const logits = tf.tidy(() => Float32Array.from(asked(imagesOf(4)).dataSync()));
    expect(logits).to.have.length(12);
    expect(said).to.have.length(1);
    await useBackend('cpu');
  });
});
