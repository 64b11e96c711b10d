// Scatters the values of a sparse kernel into a dense one, and gathers them back.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type Structure, sizeOf } from '../core/structure.ts';

/** The dense kernel of a structure and its values; differentiable in neither, the sparse ops define their own gradients. */
export const scatter = ({ shape, positions }: Structure, values: Tensor): Tensor =>
  tf.tidy(() => {
    // WebGPU cannot bind an empty buffer.
    if (positions.length === 0) return tf.zeros([...shape]);
    const indices = tf.tensor2d(positions, [positions.length, 1], 'int32');
    return tf.reshape(tf.scatterND(indices, values, [sizeOf(shape)]), [...shape]);
  });

/** The values at a structure's nonzeros of a dense kernel or its gradient. */
export const gather = ({ positions }: Structure, dense: Tensor): Tensor1D =>
  tf.tidy(() => tf.gather(tf.reshape(dense, [-1]), tf.tensor1d(positions, 'int32'))) as Tensor1D;
