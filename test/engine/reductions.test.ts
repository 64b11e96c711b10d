import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { ENGINE, registerEngine } from '../../src/engine/index.ts';
import { expectParity, type Op, plain, type Range, results, shapes, type Type } from './against-reference.ts';

const RUNS = { numRuns: 25, seed: 1 };
const seeds = fc.nat(1e6);

/** A shape of at least one dimension and some of its axes. */
const shapeAndAxes = shapes
  .filter((shape) => shape.length > 0 && !shape.includes(0))
  .chain((shape) => fc.tuple(fc.constant(shape), fc.subarray(shape.map((_, i) => i)), fc.boolean()));

type Reduce = (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor;

/** Reductions: what they take, from what range, and units in the last place that they may differ. */
const REDUCTIONS: readonly [string, Reduce, Type, Range, number][] = [
  ['sum', tf.sum, 'float32', 'moderate', 2],
  ['sum of int32', tf.sum, 'int32', 'any', 0],
  ['mean', tf.mean, 'float32', 'positive', 8],
  ['max', tf.max, 'float32', 'any', 0],
  ['max of int32', tf.max, 'int32', 'any', 0],
  ['min', tf.min, 'float32', 'any', 0],
  ['prod', tf.prod, 'float32', 'moderate', 2],
  ['all', tf.all, 'bool', 'any', 0],
  ['any', tf.any, 'bool', 'any', 0],
];

describe('engine reductions', () => {
  before(() => registerEngine({ threads: 2 }));

  for (const [name, op, type, range, tolerance] of REDUCTIONS) {
    it(`${name} over any axes is the reference kernel's`, () =>
      fc.assert(
        fc.asyncProperty(shapeAndAxes, seeds, ([shape, axes, keepDims], seed) =>
          expectParity((x) => op(x, axes, keepDims), [plain(shape, type, seed, range)], tolerance),
        ),
        RUNS,
      ));
  }

  for (const [name, op] of [
    ['argMax', tf.argMax],
    ['argMin', tf.argMin],
  ] as const) {
    it(`${name} along any axis is the reference kernel's`, () =>
      fc.assert(
        fc.asyncProperty(shapeAndAxes, seeds, ([shape, [axis = 0]], seed) =>
          expectParity((x) => op(x, axis), [plain(shape, 'float32', seed)], 0),
        ),
        RUNS,
      ));
  }

  it('sums of NaN and infinities are what IEEE 754 has', async () => {
    const [infinity, nan] = [Number.POSITIVE_INFINITY, Number.NaN];
    for (const special of [[infinity], [-infinity], [infinity, -infinity], [nan], [nan, infinity]]) {
      const values = Float32Array.from({ length: 40_000 }, (_, i) => special[i - 30_000] ?? 1);
      await expectParity((x) => [tf.sum(x), tf.mean(x)], [{ shape: [40_000], dtype: 'float32', values }], 0);
    }
  });

  it('sums what cancels as exactly as doubles do', () => {
    const values = Float32Array.from({ length: 100_001 }, (_, i) => (i === 0 ? 1e-3 : i % 2 === 0 ? 1e3 : -1e3));
    const x = { shape: [100_001], dtype: 'float32' as const, values };
    return results(ENGINE, (y) => tf.sum(y), [x]).then(([y]) => {
      expect(y.values[0]).to.be.closeTo(1e-3, 1e-7);
    });
  });

  const rows = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 70 }));

  /** Ops along the last axis. */
  const ROWS: readonly [string, Op, Range, number][] = [
    ['softmax', (x) => tf.softmax(x as tf.Tensor2D), 'moderate', 2],
    ['logSoftmax', (x) => tf.logSoftmax(x), 'moderate', 8],
    ['logSumExp', (x) => tf.logSumExp(x, 1), 'moderate', 8],
    ['cumsum', (x) => tf.cumsum(x, 1), 'any', 0],
    ['cumsum, exclusive and in reverse', (x) => tf.cumsum(x, 1, true, true), 'moderate', 0],
  ];
  for (const [name, op, range, tolerance] of ROWS) {
    it(`${name} is the reference kernel's`, () =>
      fc.assert(
        fc.asyncProperty(rows, seeds, (shape, seed) =>
          expectParity(op, [plain(shape, 'float32', seed, range)], tolerance),
        ),
        RUNS,
      ));
  }

  it('topk puts the first of equal values first, in short rows and long ones', () =>
    fc.assert(
      fc.asyncProperty(
        fc.tuple(
          fc.integer({ min: 1, max: 5 }),
          fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 100, max: 3000 })),
        ),
        fc.double({ min: 0, max: 1, noNaN: true }),
        seeds,
        (shape, share, seed) => {
          const k = Math.max(1, Math.round(share * shape[1]));
          const op: Op = (x) => {
            const { values, indices } = tf.topk(x, k);
            return [values, indices];
          };
          return expectParity(op, [plain(shape, 'float32', seed, 'moderate')], 0);
        },
      ),
      RUNS,
    ));

  it('topk takes infinities and denormals', () =>
    expectParity(
      (x) => tf.topk(x, 6).values,
      [
        {
          shape: [6],
          dtype: 'float32',
          values: Float32Array.of(1e-45, Number.NEGATIVE_INFINITY, -1e-45, 0, Number.POSITIVE_INFINITY, -3),
        },
      ],
      0,
    ));
});
