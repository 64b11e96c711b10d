import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { ENGINE, registerEngine } from '../../src/engine/index.ts';
import { runKernel } from '../../src/ops/kernel.ts';
import { broadcastShapes, expectParity, type Op, plain, shapes, type Type, ulps } from './against-reference.ts';

const seeds = fc.nat(1e6);
const RUNS = { numRuns: 25, seed: 1 };

/** Ops of one tensor: the type they take, and how many units in the last place they may differ. */
const UNARY: readonly [string, Op, Type, number][] = [
  ['neg', (x) => tf.neg(x), 'float32', 0],
  ['abs', (x) => tf.abs(x), 'float32', 0],
  ['sign', (x) => tf.sign(x), 'float32', 0],
  ['sqrt', (x) => tf.sqrt(x), 'float32', 0],
  ['rsqrt', (x) => tf.rsqrt(x), 'float32', 0],
  ['square', (x) => tf.square(x), 'float32', 0],
  ['reciprocal', (x) => tf.reciprocal(x), 'float32', 0],
  ['exp', (x) => tf.exp(x), 'float32', 1],
  ['log', (x) => tf.log(x), 'float32', 1],
  ['relu', (x) => tf.relu(x), 'float32', 0],
  ['step', (x) => tf.step(x), 'float32', 0],
  ['step with a slope', (x) => tf.step(x, -0.3), 'float32', 0],
  ['clipByValue', (x) => tf.clipByValue(x, -0.7, 1.1), 'float32', 0],
  ['relu6', (x) => tf.relu6(x), 'float32', 0],
  ['sigmoid', (x) => tf.sigmoid(x), 'float32', 1],
  ['leakyRelu', (x) => tf.leakyRelu(x, 0.1), 'float32', 1],
  ['elu', (x) => tf.elu(x), 'float32', 1],
  ['the gradient of elu', (x) => runKernel('EluGrad', { dy: x, y: tf.neg(x) }, {}), 'float32', 1],
  ['selu', (x) => tf.selu(x), 'float32', 2],
  ['tanh', (x) => tf.tanh(x), 'float32', 1],
  ['softplus', (x) => tf.softplus(x), 'float32', 2],
  ['floor', (x) => tf.floor(x), 'float32', 0],
  ['ceil', (x) => tf.ceil(x), 'float32', 0],
  ['round', (x) => tf.round(x), 'float32', 0],
  ['logicalNot', (x) => tf.logicalNot(x), 'bool', 0],
  ['cast to int32', (x) => tf.cast(x, 'int32'), 'float32', 0],
  ['cast to bool', (x) => tf.cast(x, 'bool'), 'float32', 0],
  ['cast from int32', (x) => tf.cast(x, 'float32'), 'int32', 0],
  ['cast from int32 to bool', (x) => tf.cast(x, 'bool'), 'int32', 0],
  ['cast from bool', (x) => tf.cast(x, 'float32'), 'bool', 0],
  ['cast from bool to int32', (x) => tf.cast(x, 'int32'), 'bool', 0],
];

const BINARY: readonly [string, Op, readonly Type[]][] = [
  ['add', (a, b) => tf.add(a, b), ['float32', 'int32']],
  ['sub', (a, b) => tf.sub(a, b), ['float32', 'int32']],
  ['mul', (a, b) => tf.mul(a, b), ['float32']],
  ['div', (a, b) => tf.div(a, b), ['float32']],
  ['maximum', (a, b) => tf.maximum(a, b), ['float32', 'int32']],
  ['minimum', (a, b) => tf.minimum(a, b), ['float32', 'int32']],
  ['prelu', (a, b) => runKernel('Prelu', { x: a, alpha: b }, {}), ['float32']],
  ['greater', (a, b) => tf.greater(a, b), ['float32', 'int32']],
  ['greaterEqual', (a, b) => tf.greaterEqual(a, b), ['float32', 'int32']],
  ['less', (a, b) => tf.less(a, b), ['float32', 'int32']],
  ['lessEqual', (a, b) => tf.lessEqual(a, b), ['float32', 'int32']],
  ['equal', (a, b) => tf.equal(a, b), ['float32', 'int32']],
  ['notEqual', (a, b) => tf.notEqual(a, b), ['float32', 'int32']],
];

describe('engine elementwise kernels', () => {
  before(() => registerEngine({ threads: 2 }));

  for (const [name, op, type, tolerance] of UNARY) {
    it(`${name} is the reference kernel's`, () =>
      fc.assert(
        fc.asyncProperty(shapes, seeds, (shape, seed) => expectParity(op, [plain(shape, type, seed)], tolerance)),
        RUNS,
      ));
  }

  for (const [name, op, types] of BINARY) {
    for (const type of types) {
      it(`${name} of ${type} is the reference kernel's, broadcast or not`, () =>
        fc.assert(
          fc.asyncProperty(broadcastShapes, seeds, ([a, b], seed) =>
            expectParity(op, [plain(a, type, seed), plain(b, type, seed + 1)], 0),
          ),
          RUNS,
        ));
    }
  }

  it('joins short rows with a vector, whatever their number', async () => {
    for (const rows of [1, 2, 6, 4096, 8191, 8192]) {
      const [x, vector] = [plain([rows, 3], 'float32', rows), plain([3], 'float32', 1)];
      await expectParity((a, b) => [tf.sub(a, b), tf.greater(a, b), tf.div(b, a)], [x, vector], 0);
    }
  });

  it('squaredDifference rounds the difference before it squares it', () =>
    fc.assert(
      fc.asyncProperty(broadcastShapes, seeds, ([a, b], seed) =>
        expectParity(
          (x, y) => tf.squaredDifference(x, y),
          [plain(a, 'float32', seed, 'moderate'), plain(b, 'float32', seed + 1, 'moderate')],
          2,
        ),
      ),
      RUNS,
    ));

  for (const [name, op] of [
    ['logicalAnd', tf.logicalAnd],
    ['logicalOr', tf.logicalOr],
  ] as const) {
    it(`${name} is the reference kernel's`, () =>
      fc.assert(
        fc.asyncProperty(shapes, seeds, (shape, seed) =>
          expectParity((a, b) => op(a, b), [plain(shape, 'bool', seed), plain(shape, 'bool', seed + 1)], 0),
        ),
        RUNS,
      ));
  }

  for (const type of ['float32', 'int32'] as const) {
    it(`where of ${type} is the reference kernel's`, () =>
      fc.assert(
        fc.asyncProperty(shapes, seeds, (shape, seed) =>
          expectParity(
            (condition, a, b) => tf.where(condition, a, b),
            [plain(shape, 'bool', seed), plain(shape, type, seed + 1), plain(shape, type, seed + 2)],
            0,
          ),
        ),
        RUNS,
      ));
  }

  for (const [name, op, exact] of [
    ['exp', tf.exp, Math.exp],
    ['log', tf.log, Math.log],
  ] as const) {
    it(`${name} is at most one unit in the last place off over all floats, and mostly rounded correctly`, async () => {
      await tf.setBackend(ENGINE);
      // Every 9973th bit pattern: denormals, both signs, infinities and NaNs.
      const patterns = Int32Array.from({ length: Math.floor(2 ** 32 / 9973) }, (_, i) => i * 9973);
      const values = new Float32Array(patterns.buffer);
      const y = tf.tidy(() => op(tf.tensor1d(values)).dataSync());
      const wrong = { byOne: 0, byMore: 0 };
      for (let i = 0; i < values.length; i++) {
        const distance = ulps(y[i], Math.fround(exact(values[i])));
        if (distance === 1) wrong.byOne++;
        else if (distance > 1) wrong.byMore++;
      }
      if (wrong.byMore > 0 || wrong.byOne > values.length / 1000) throw new Error(JSON.stringify(wrong));
    });
  }
});
