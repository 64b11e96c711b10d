import '@tensorflow/tfjs-backend-cpu';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { registerGradients } from '../../src/ops/gradients.ts';

const key = seedKey('reduction gradients');

const cases = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }),
    keepDims: fc.boolean(),
    reduce: fc.constantFrom(tf.sum, tf.mean),
  })
  .chain(({ shape, ...others }) =>
    fc.record({
      ...{ shape: fc.constant(shape), axes: fc.shuffledSubarray(shape.map((_, i) => i)) },
      keepDims: fc.constant(others.keepDims),
      reduce: fc.constant(others.reduce),
    }),
  );

describe('gradients of reductions', () => {
  before(registerGradients);
  beforeEach(() => tf.setBackend('cpu'));

  it('of sums and means repeat dy, for a mean its share, to the shape of what was reduced; and have a gradient themselves', () => {
    fc.assert(
      fc.property(cases, ({ shape, axes, keepDims, reduce }) => {
        const over = axes.length === 0 ? undefined : axes;
        const count = sizeOf(over ? axes.map((axis) => shape[axis]) : shape);
        const factor = reduce === tf.mean ? 1 / count : 1;
        tf.tidy(() => {
          const x = tf.tensor(Float32Array.from(normal(foldIn(key, 'x'), sizeOf(shape))), shape);
          const reduced = (a: Tensor) => reduce(a, over, keepDims);
          const dy = tf.tensor(
            Float32Array.from(normal(foldIn(key, 'dy'), reduced(x).size)),
            reduced(x).shape as number[],
          );
          const kept = shape.map((size, i) => (over === undefined || axes.includes(i) ? 1 : size));
          const repeated = tf.add(tf.zeros(shape), tf.reshape(dy, kept));
          const expected = tf.mul(repeated, factor).dataSync();
          const actual = tf.grad(reduced)(x, dy).dataSync();
          actual.forEach((value, i) => {
            expect(value).to.be.closeTo(expected[i], 1e-6);
          });
          // d²/dx² of Σ r(x)² · ½ along ones: r'(1)ᵀ r'(1) summed.
          const half = (a: Tensor) => tf.sum(tf.mul(tf.square(reduced(a)), 0.5));
          const twice = tf
            .grad((a: Tensor) => tf.sum(tf.grad(half)(a)))(x)
            .dataSync();
          for (const value of twice) expect(value).to.be.closeTo(factor * factor * count, 1e-5);
        });
      }),
    );
  });

  it('of extreme values share dy among those that are equally extreme', () => {
    tf.tidy(() => {
      const x = tf.tensor2d([
        [3, 1, 3],
        [2, 2, 2],
      ]);
      const dy = tf.tensor1d([1, 6]);
      const of = (extreme: typeof tf.max) =>
        Array.from(
          tf
            .grad((a: Tensor) => extreme(a, 1))(x, dy)
            .dataSync(),
        );
      expect(of(tf.max)).to.deep.equal([0.5, 0, 0.5, 2, 2, 2]);
      expect(of(tf.min)).to.deep.equal([0, 1, 0, 2, 2, 2]);
    });
  });
});
