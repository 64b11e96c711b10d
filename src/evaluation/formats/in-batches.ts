// Models that take one number of images at a time, given any number.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/**
 * The outputs of a batch of any size by a model that takes `size` images at a time; the last part is filled up with zeros.
 *
 * @param size null for a model that takes any number of images
 */
export function inBatches(size: number | null, batch: Tensor, run: (part: Tensor) => Tensor): Tensor {
  const [count, ...rest] = batch.shape;
  if (size === null || size === count) return run(batch);
  const parts = Array.from({ length: Math.ceil(count / size) }, (_, i) => {
    const taken = Math.min(size, count - i * size);
    const part = tf.slice(batch, i * size, [taken, ...rest]);
    return run(taken === size ? part : tf.concat([part, tf.zeros([size - taken, ...rest])], 0));
  });
  const outputs = parts.length === 1 ? parts[0] : tf.concat(parts, 0);
  return tf.slice(outputs, 0, [count, ...outputs.shape.slice(1)]);
}
