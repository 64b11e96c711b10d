// The gradients of ops of two tensors that broadcast, where tfjs-core's do not sum what was broadcast.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { gradient, sumTo } from './gradient.ts';

const squaredDifference = gradient({
  kernelName: 'SquaredDifference',
  inputsToSave: ['a', 'b'],
  gradFunc: (dy, [a, b]) => {
    const slope = () => tf.mul(tf.mul(dy, 2), tf.sub(a, b));
    return { a: () => sumTo(slope(), a.shape), b: () => sumTo(tf.neg(slope()), b.shape) };
  },
});

/** The gradients of elementwise maxima and minima: dy goes to the value that was taken, to `a` if both are equal. */
const choice = (kernelName: 'Maximum' | 'Minimum', takesA: (a: Tensor, b: Tensor) => Tensor) =>
  gradient({
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: (dy, [a, b]) => {
      const part = (taken: Tensor) => tf.mul(dy, tf.cast(taken, 'float32'));
      return {
        a: () => sumTo(part(takesA(a, b)), a.shape),
        b: () => sumTo(part(tf.logicalNot(takesA(a, b))), b.shape),
      };
    },
  });

/** The gradients of products of the matrices in the last two dimensions. The other dimensions broadcast. */
const matMul = gradient<{ readonly transposeA: boolean; readonly transposeB: boolean }>({
  kernelName: 'BatchMatMul',
  inputsToSave: ['a', 'b'],
  reads: { a: ['b'], b: ['a'] },
  gradFunc: (dy, [a, b], { transposeA, transposeB }) => ({
    a: () => sumTo(transposeA ? tf.matMul(b, dy, transposeB, true) : tf.matMul(dy, b, false, !transposeB), a.shape),
    b: () => sumTo(transposeB ? tf.matMul(dy, a, true, transposeA) : tf.matMul(a, dy, !transposeA, false), b.shape),
  }),
});

export const binaryGradients = [
  squaredDifference,
  choice('Maximum', tf.greaterEqual),
  choice('Minimum', tf.lessEqual),
  matMul,
];
