import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { ENGINE, registerEngine } from '../../src/engine/index.ts';
import { expectParity, plain, shapes, type Type } from './against-reference.ts';

const RUNS = { numRuns: 25, seed: 1 };
const seeds = fc.nat(1e6);
const types = fc.constantFrom<Type>('float32', 'int32', 'bool');
const withAxis = shapes
  .filter((shape) => shape.length > 0)
  .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));

/** Everything that takes an axis. */
const ALONG: Readonly<Record<string, (x: tf.Tensor, axis: number) => tf.Tensor>> = {
  stack: (x, axis) => tf.stack([x, tf.neg(x), x], axis),
  unstack: (x, axis) => tf.unstack(x, axis)[1],
  concat: (x, axis) => tf.concat([x, tf.neg(x)], axis),
  split: (x, axis) => tf.split(x, [1, (x.shape.at(axis) as number) - 1], axis)[1],
  gather: (x, axis) => tf.gather(x, [1, 0, 1], axis),
  reverse: (x, axis) => tf.reverse(x, axis),
  cumsum: (x, axis) => tf.cumsum(x, axis, true, true),
  sum: (x, axis) => tf.sum(x, axis),
  mean: (x, axis) => tf.mean(x, [axis]),
  max: (x, axis) => tf.max(x, axis, true),
  prod: (x, axis) => tf.prod(x, axis),
  all: (x, axis) => tf.all(tf.greater(x, 0), axis),
  argMax: (x, axis) => tf.argMax(x, axis),
  argMin: (x, axis) => tf.argMin(x, axis),
  logSumExp: (x, axis) => tf.logSumExp(x, axis),
  expandDims: (x, axis) => tf.expandDims(x, axis),
};

describe('engine copies', () => {
  before(() => registerEngine({ threads: 2 }));

  for (const [name, along] of Object.entries(ALONG)) {
    it(`${name} counts an axis from the end`, async () => {
      const shape = [2, 3, 4];
      const run = async (backend: string, axis: number) => {
        await tf.setBackend(backend);
        return tf.tidy(() => {
          const y = along(tf.sin(tf.reshape(tf.range(1, 25), shape)), axis);
          return { shape: y.shape, values: [...y.dataSync()] };
        });
      };
      const rank = ['stack', 'expandDims'].includes(name) ? 4 : 3;
      for (let axis = 0; axis < rank; axis++) {
        const [expected, actual] = [await run('cpu', axis), await run(ENGINE, axis - rank)];
        expect(actual.shape).to.deep.equal(expected.shape);
        actual.values.forEach((value, i) => {
          expect(value).to.be.closeTo(expected.values[i], 1e-5 * Math.abs(expected.values[i]) + 1e-6);
        });
      }
    });
  }

  it("transpose is the reference kernel's in every order", () =>
    fc.assert(
      fc.asyncProperty(
        shapes.chain((shape) =>
          fc.tuple(
            fc.constant(shape),
            fc.shuffledSubarray(
              shape.map((_, i) => i),
              { minLength: shape.length },
            ),
          ),
        ),
        types,
        seeds,
        ([shape, order], type, seed) => {
          fc.pre(shape.length > 1);
          return expectParity((x) => tf.transpose(x, order), [plain(shape, type, seed)], 0);
        },
      ),
      RUNS,
    ));

  it("slice is the reference kernel's", () =>
    fc.assert(
      fc.asyncProperty(
        shapes.filter((shape) => shape.length > 0),
        types,
        seeds,
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })), {
          minLength: 4,
          maxLength: 4,
        }),
        (shape, type, seed, shares) => {
          const begin = shape.map((size, i) => Math.floor(shares[i][0] * Math.max(0, size - 1)));
          const size = shape.map((n, i) => Math.round(shares[i][1] * (n - begin[i])));
          return expectParity((x) => tf.slice(x, begin, size), [plain(shape, type, seed)], 0);
        },
      ),
      RUNS,
    ));

  it("pad is the reference kernel's, and its gradient a slice", () =>
    fc.assert(
      fc.asyncProperty(
        shapes.filter((shape) => shape.length > 0),
        types,
        seeds,
        fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 4, maxLength: 4 }),
        (shape, type, seed, sides) =>
          expectParity((x) => tf.pad(x, sides.slice(0, shape.length), 1), [plain(shape, type, seed)], 0),
      ),
      RUNS,
    ));

  it("concat is the reference kernel's along every axis", () =>
    fc.assert(
      fc.asyncProperty(
        withAxis,
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 2, maxLength: 4 }),
        types,
        seeds,
        ([shape, axis], sizes, type, seed) => {
          fc.pre(sizes.filter((size) => size > 0).length > 1);
          const inputs = sizes.map((size, i) =>
            plain(
              shape.map((n, d) => (d === axis ? size : n)),
              type,
              seed + i,
            ),
          );
          return expectParity((...tensors) => tf.concat(tensors, axis), inputs, 0);
        },
      ),
      RUNS,
    ));

  it("split is the reference kernel's, in equal parts and in others", async () => {
    const x = plain([3, 6, 5], 'float32', 3);
    await expectParity((y) => tf.split(y, 3, 1), [x], 0);
    await expectParity((y) => tf.split(y, [1, 0, 4], 2), [x], 0);
  });

  it("concat of long rows is the reference kernel's", () =>
    expectParity((a, b) => tf.concat([a, b], 0), [plain([3, 9001], 'float32', 1), plain([1, 9001], 'float32', 2)], 0));

  it("stack and unstack are the reference kernel's", () =>
    fc.assert(
      fc.asyncProperty(withAxis, types, seeds, async ([shape, axis], type, seed) => {
        fc.pre(shape.length < 4 && shape[axis] > 0 && shape[axis] < 50);
        const inputs = [plain(shape, type, seed), plain(shape, type, seed + 1)];
        await expectParity((a, b) => tf.stack([a, b], axis), inputs, 0);
        await expectParity((x) => tf.unstack(x, axis), inputs.slice(0, 1), 0);
      }),
      RUNS,
    ));

  it("tile and broadcastTo are the reference kernel's", () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
        fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 }),
        types,
        seeds,
        async (shape, reps, type, seed) => {
          await expectParity((x) => tf.tile(x, reps.slice(0, shape.length)), [plain(shape, type, seed)], 0);
          const ones = shape.map((n, i) => (reps[i] > 1 ? 1 : n));
          fc.pre(ones.join() !== shape.join());
          await expectParity((x) => tf.broadcastTo(x, shape), [plain(ones, type, seed)], 0);
        },
      ),
      RUNS,
    ));

  it("gather is the reference kernel's along every axis", () =>
    fc.assert(
      fc.asyncProperty(
        withAxis,
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 9 }),
        types,
        seeds,
        ([shape, axis], places, type, seed) => {
          fc.pre(shape[axis] > 0);
          const indices = places.map((place) => place % shape[axis]);
          return expectParity((x) => tf.gather(x, tf.tensor1d(indices, 'int32'), axis), [plain(shape, type, seed)], 0);
        },
      ),
      RUNS,
    ));

  it('gather refuses an index that is out of range', async () => {
    await tf.setBackend(ENGINE);
    const attempt = (index: number) => () => tf.gather(tf.ones([3, 2]), tf.tensor1d([index], 'int32'));
    expect(attempt(3)).to.throw(/index value 3 is not in \[0, 2\]/);
    expect(attempt(-1)).to.throw(/index value -1/);
  });

  it('oneHot leaves classes out of range dark', async () => {
    const indices = { shape: [5], dtype: 'int32' as const, values: Int32Array.of(0, 3, -1, 4, 2) };
    for (const type of ['float32', 'int32'] as const) {
      await expectParity((x) => tf.oneHot(x as tf.Tensor1D, 4, 5, -2, type), [indices], 0);
    }
  });

  it("zerosLike, onesLike and fill are the reference kernel's", () =>
    fc.assert(
      fc.asyncProperty(shapes, types, seeds, async (shape, type, seed) => {
        await expectParity((x) => [tf.zerosLike(x), tf.onesLike(x)], [plain(shape, type, seed)], 0);
        await expectParity(() => tf.fill(shape, 1.25), [], 0);
      }),
      RUNS,
    ));

  it('addN is the sum in order', () =>
    fc.assert(
      fc.asyncProperty(shapes, seeds, fc.integer({ min: 2, max: 5 }), (shape, seed, count) =>
        expectParity(
          (...tensors) => tf.addN(tensors),
          Array.from({ length: count }, (_, i) => plain(shape, 'float32', seed + i)),
          0,
        ),
      ),
      RUNS,
    ));
});
