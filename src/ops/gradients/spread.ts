// The transposes of taking a part of an axis: each `step`-th value, or a range.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { alongAxis } from './gradient.ts';

/** Puts `step` − 1 zeros between neighbours along an axis, which grows from n to (n − 1) · step + 1 values. */
export function spread(x: Tensor, axis: number, step: number): Tensor {
  if (step === 1) return x;
  return alongAxis(x, axis, (values) => {
    const [outer, size, inner] = values.shape;
    const apart = tf.pad4d(tf.reshape(values, [outer, size, 1, inner]), [
      [0, 0],
      [0, 0],
      [0, step - 1],
      [0, 0],
    ]);
    return tf.slice(tf.reshape(apart, [outer, size * step, inner]), 0, [outer, (size - 1) * step + 1, inner]);
  });
}

/** Puts a tensor into zeros: along an axis, which becomes `length` long, it begins at `first`. */
export const placed = (x: Tensor, axis: number, first: number, length: number): Tensor =>
  alongAxis(x, axis, (values) =>
    tf.pad3d(values, [
      [0, 0],
      [first, length - first - values.shape[1]],
      [0, 0],
    ]),
  );
