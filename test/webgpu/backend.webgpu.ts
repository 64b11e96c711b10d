// In a package that has the packages of the backend, as `npm run test:webgpu` makes it, on a machine with an adapter.
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { useBackend } from '../backend.ts';

describe('the backend webgpu', () => {
  before(() => useBackend('webgpu'));

  it('is read synchronously, as often as is wanted and while asynchronous reads are under way', async () => {
    const counts = Array.from({ length: 20 }, (_, i) => tf.add(tf.fill([2000], i), 1));
    const later = counts[0].data();
    const now = counts.slice(1).map((tensor) => tensor.dataSync()[1999]);
    expect(now).to.deep.equal(Array.from({ length: 19 }, (_, i) => i + 2));
    expect((await later)[1999]).to.equal(1);
    expect((await tf.add(counts[19], 1).data())[0]).to.equal(21);
  });

  it('sums more tensors than a shader takes, and keeps none', () => {
    const terms = Array.from({ length: 40 }, (_, i) => tf.fill([2000], i));
    for (const count of [1, 2, 7, 8, 9, 15, 16, 40]) {
      const before = tf.memory().numTensors;
      const sum = tf.addN(terms.slice(0, count));
      expect(sum.dataSync()[1999]).to.equal((count * (count - 1)) / 2);
      sum.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    }
  });

  // The last: a backend that has failed stays so.
  it('throws what the GPU reports instead of giving a result that means nothing', async () => {
    const { device } = tf.backend() as unknown as { device: { createBuffer(buffer: object): unknown } };
    device.createBuffer({ size: 16, usage: 1 << 30 });
    const sum = tf.add(tf.ones([2000]), 1);
    expect(() => sum.dataSync()).to.throw(/^WebGPU failed, so that its results mean nothing: .*invalid/);
    const thrown = await sum.data().catch((error: unknown) => error as Error);
    expect((thrown as Error).message).to.match(/^WebGPU failed/);
  });
});
