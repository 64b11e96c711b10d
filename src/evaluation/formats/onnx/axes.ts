// Work along one axis of a tensor, built of ops whose gradients are exact for every rank.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { transposed } from '../../../ops/transposed.ts';
import { stridesOf, viewed } from './memory.ts';
import { inMemory, likeStored, storedAxis, storedTensor, type Value } from './values.ts';

/** Equal parts along an axis; `tf.split` into a single part has no gradient. */
export const partsOf = (x: Tensor, count: number, axis: number): readonly Tensor[] =>
  count === 1 ? [x] : tf.split(x, count, axis);

/** The tensor repeated to a shape that it broadcasts to; the gradient of `tf.broadcastTo` ends at rank 4. */
export const repeatedTo = (x: Tensor, shape: readonly number[]): Tensor => tf.mul(x, tf.ones([...shape]));

/** `count` places along an axis from `start` on, `step` apart; backwards where the step is negative. */
export function sectionOf(x: Tensor, axis: number, start: number, count: number, step: number): Tensor {
  if (step < 0) {
    const first = start + (count - 1) * step;
    return tf.reverse(sectionOf(x, axis, first, count, -step), axis);
  }
  const length = step === 1 ? count : Math.min(count * step, x.shape[axis] - start);
  const part = tf.slice(
    x,
    x.shape.map((_, i) => (i === axis ? start : 0)),
    x.shape.with(axis, length),
  );
  if (step === 1) return part;
  const missing = count * step - length;
  const whole =
    missing === 0
      ? part
      : tf.pad(
          part,
          part.shape.map((_, i) => (i === axis ? [0, missing] : [0, 0])),
        );
  const apart = [...x.shape.slice(0, axis), count, step, ...x.shape.slice(axis + 1)];
  const first = tf.slice(
    tf.reshape(whole, apart),
    apart.map(() => 0),
    apart.with(axis + 1, 1),
  );
  return tf.reshape(first, x.shape.with(axis, count));
}

/** `count` places along an axis from `start` on, `step` apart. */
export function section(x: Value, axis: number, start: number, count: number, step: number): Value {
  const shape = x.shape.with(axis, count);
  if (x.numbers !== null) {
    const strides = stridesOf(x.shape);
    return inMemory(
      viewed(x.numbers, shape, strides.with(axis, strides[axis] * step), start * strides[axis]),
      shape,
      x.type,
    );
  }
  if (start === 0 && step === 1 && count === x.shape[axis]) return x;
  const along = storedAxis(x, axis);
  return likeStored(x, sectionOf(storedTensor(x), along, start, count, step));
}

/** The tensor with a matrix applied to one of its axes: new[…, j, …] = Σᵢ matrix[i, j] · old[…, i, …]. */
export function alongAxis(x: Tensor, axis: number, matrix: tf.Tensor2D): Tensor {
  const last = x.rank - 1;
  const swap = x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
  const turned = transposed(x, swap);
  const y = tf.matMul(tf.reshape(turned, [-1, x.shape[axis]]) as tf.Tensor2D, matrix);
  return transposed(tf.reshape(y, [...turned.shape.slice(0, -1), matrix.shape[1]]), swap);
}
