import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { ENGINE, engineInfo, registerEngine } from '../../src/engine/index.ts';
import { weightedSum } from '../../src/ops/weighted-sum.ts';
import { forgetStructures, numbers } from './same.ts';

/** A large tensor, small ones that share a task, and one that is brought to other places. */
const SIZES = { large: 50_001, a: 64, b: 7, empty: 0, moved: 20_003 } as const;
const map = Int32Array.from({ length: SIZES.moved }, (_, i) => (i % 3 === 0 ? -1 : (i * 11) % 500));

const drawn = (name: string, moved: number) =>
  Object.entries({ ...SIZES, moved }).map(([of, size]) => [of, numbers(`${name} ${of}`, [size])] as const);
const [v, g, u] = [drawn('v', SIZES.moved), drawn('g', SIZES.moved), drawn('u', 500)];
const tree = (values: typeof v) => Object.fromEntries(values.map(([name, x]) => [name, tf.tensor1d(x)]));

const sums = () =>
  tf.tidy(() => {
    const tensors = weightedSum([0.9, tree(v)], [1, tree(g)], [-0.1, tree(u), { moved: map }]);
    return Object.values(tensors).map((tensor) => tensor.dataSync() as Float32Array);
  });

describe('the weighted sum of trees on the engine', () => {
  after(() => registerEngine({ threads: 1 }));

  it('is bitwise that of the reference backend, on any number of threads', async () => {
    await tf.setBackend('cpu');
    const expected = sums();
    for (const threads of [1, 2, 3]) {
      await registerEngine({ threads });
      await tf.setBackend(ENGINE);
      expect(sums(), `${threads} threads`).to.deep.equal(expected);
    }
  });

  it('returns every byte', async () => {
    await registerEngine({ threads: 2 });
    await tf.setBackend(ENGINE);
    forgetStructures();
    const before = { bytes: engineInfo()?.bytes, ...tf.memory() };
    for (let i = 0; i < 20; i++) sums();
    expect({ bytes: engineInfo()?.bytes, ...tf.memory() }).to.deep.equal(before);
  });
});
