// Transposition without a copy where the order of values in memory stays.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** `tf.transpose`, or a reshape where only axes of extent 1 move. */
export function transposed(x: Tensor, permutation: readonly number[]): Tensor {
  const moved = permutation.filter((axis) => x.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || moved[i - 1] < axis)) {
    return tf.reshape(
      x,
      permutation.map((axis) => x.shape[axis]),
    );
  }
  return tf.transpose(x, [...permutation]);
}
