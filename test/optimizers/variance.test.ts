import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { compareVariance, gradientVariance } from '../../src/optimizers/variance.ts';
import { useBackend } from '../backend.ts';

describe('gradient variance', () => {
  before(() => useBackend('cpu'));

  it('is the mean squared distance from the mean gradient, with n − 1', async () => {
    const gradients = [
      { a: tf.tensor1d([1, 2]), b: tf.scalar(0) },
      { a: tf.tensor1d([3, 2]), b: tf.scalar(3) },
      { a: tf.tensor1d([5, 2]), b: tf.scalar(-3) },
    ];
    const count = tf.memory().numTensors;
    expect(await gradientVariance(gradients)).to.equal((4 + 0 + 4 + 0 + 9 + 9) / 2);
    expect(tf.memory().numTensors).to.equal(count);
  });

  it('has no limits of its own: gradients whose squares float32 cannot hold have one too', async () => {
    for (const scale of [1e-30, 1e-20, 1e19, 1e30]) {
      const gradients = [1, 3, 5].map((value) => ({ a: tf.tensor1d([value * scale, 0]) }));
      expect((await gradientVariance(gradients)) / scale ** 2).to.be.closeTo(4, 1e-5);
      tf.dispose(gradients);
    }
  });

  it('vanishes with SVRG where the snapshot is the network itself, and falls with a part of the correction', async () => {
    const gradients = [
      [1, 2],
      [3, 5],
      [-1, 0.5],
    ].map((g) => ({ a: tf.tensor1d(g) }));
    const pairs = gradients.map((gradient) => ({ gradient, snapshotGradient: gradient }));
    const snapshotMean = { a: tf.tensor1d([1, 2.5]) };
    const count = tf.memory().numTensors;
    const full = await compareVariance(pairs, snapshotMean, 1);
    expect(full.plain).to.be.greaterThan(1);
    expect(full.corrected).to.be.closeTo(0, 1e-12);
    const part = await compareVariance(pairs, snapshotMean, 0.1);
    expect(part.corrected).to.be.closeTo(0.81 * part.plain, 1e-5);
    expect(tf.memory().numTensors).to.equal(count);
  });
});
