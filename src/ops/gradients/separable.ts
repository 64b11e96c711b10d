// The gradients of ops that are linear and work along each axis by itself: resizes and mirrored padding.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { runKernel } from '../kernel.ts';
import { gradient } from './gradient.ts';

/** Multiplies the vectors along an axis of size m by a matrix [m, n]. The axis then has size n. */
function timesAlong(x: Tensor, axis: number, matrix: Tensor): Tensor {
  const order = x.shape.map((_, i) => i);
  [order[axis], order[x.rank - 1]] = [x.rank - 1, axis];
  const moved = tf.transpose(x, order);
  const [m, n] = matrix.shape;
  const product = tf.matMul(tf.reshape(moved, [sizeOf(moved.shape) / m, m]), matrix);
  return tf.transpose(tf.reshape(product, [...moved.shape.slice(0, -1), n]), order);
}

/**
 * dx = Wᵀ dy along each axis, where W [m, n] is what the op itself makes of the n unit vectors. So the gradient belongs to
 * the forward pass of the backend, whatever its rounding and its conventions are.
 */
const transposed = (dy: Tensor, shape: readonly number[], responses: (axis: number, size: number) => Tensor): Tensor =>
  shape.reduce(
    (slopes: Tensor, size, axis) =>
      slopes.shape[axis] === size ? slopes : timesAlong(slopes, axis, responses(axis, size)),
    dy,
  );

interface Resize {
  readonly size: readonly [number, number];
}

/** The gradients of resizes of images [batch, height, width, channels]. The unit vectors are channels of one image. */
const resize = (kernelName: 'ResizeBilinear' | 'ResizeNearestNeighbor') =>
  gradient<Resize>({
    kernelName,
    inputsToSave: ['images'],
    reads: {},
    gradFunc: (dy, [images], attrs) => {
      const responses = (axis: number, size: number): Tensor => {
        const [height, width] = axis === 1 ? [size, 1] : [1, size];
        const units = tf.reshape(tf.eye(size), [1, height, width, size]);
        const resized = axis === 1 ? [attrs.size[0], 1] : [1, attrs.size[1]];
        return tf.reshape(runKernel<Tensor>(kernelName, { images: units }, { ...attrs, size: resized }), [-1, size]);
      };
      return { images: () => tf.clone(transposed(dy, images.shape, responses)) };
    },
  });

interface MirrorPad {
  readonly paddings: readonly (readonly [number, number])[];
  readonly mode: 'reflect' | 'symmetric';
}

const mirrorPad = gradient<MirrorPad>({
  kernelName: 'MirrorPad',
  inputsToSave: ['x'],
  reads: {},
  gradFunc: (dy, [x], { paddings, mode }) => {
    const responses = (axis: number, size: number): Tensor =>
      runKernel('MirrorPad', { x: tf.eye(size) }, { paddings: [paddings[axis], [0, 0]], mode });
    return { x: () => tf.clone(transposed(dy, x.shape, responses)) };
  },
});

export const separableGradients = [resize('ResizeBilinear'), resize('ResizeNearestNeighbor'), mirrorPad];
