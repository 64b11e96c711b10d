// The gradients of ops that move, repeat or join values.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { alongAxis, gradient } from './gradient.ts';

/** The gradient of repetition: along each axis the copies add up. */
const tile = gradient<{ readonly reps: readonly number[] }>({
  kernelName: 'Tile',
  inputsToSave: ['x'],
  reads: {},
  gradFunc: (dy, [x], { reps }) => ({
    x: () =>
      tf.clone(
        reps.reduce(
          (slopes: Tensor, copies, axis) =>
            copies === 1
              ? slopes
              : alongAxis(slopes, axis, (values) => {
                  const [outer, , inner] = values.shape;
                  return tf.sum(tf.reshape(values, [outer, copies, x.shape[axis], inner]), 1);
                }),
          dy,
        ),
      ),
  }),
});

/** The gradient of depthToSpace, which moves channels [.., block, block, depth] into blocks of pixels. */
const depthToSpace = gradient<{ readonly blockSize: number; readonly dataFormat: 'NHWC' | 'NCHW' }>({
  kernelName: 'DepthToSpace',
  inputsToSave: ['x'],
  reads: {},
  gradFunc: (dy, [x], { blockSize: block, dataFormat }) => ({
    x: () => {
      if (dataFormat === 'NCHW') {
        const [batch, channels, height, width] = x.shape;
        const blocks = tf.reshape(dy, [batch, channels / block ** 2, height, block, width, block]);
        return tf.reshape(tf.transpose(blocks, [0, 3, 5, 1, 2, 4]), x.shape);
      }
      const [batch, height, width, channels] = x.shape;
      const blocks = tf.reshape(dy, [batch, height, block, width, block, channels / block ** 2]);
      return tf.reshape(tf.transpose(blocks, [0, 1, 3, 2, 4, 5]), x.shape);
    },
  }),
});

const flipLeftRight = gradient({
  kernelName: 'FlipLeftRight',
  gradFunc: (dy) => ({ image: () => tf.reverse(dy, 2) }),
});

/** The dy of a kernel with any number of outputs, which tfjs-core passes without an array if there is one. */
type Outputs = Tensor | readonly Tensor[];
const listOf = (dy: Outputs): Tensor[] => (Array.isArray(dy) ? [...dy] : [dy as Tensor]);

const unstack = gradient<{ readonly axis: number }, Outputs>({
  kernelName: 'Unpack',
  inputsToSave: ['value'],
  reads: {},
  gradFunc: (dy, [value], { axis }) => ({
    value: () => tf.stack(listOf(dy), tf.util.parseAxisParam(axis, value.shape)[0]),
  }),
});

const split = gradient<{ readonly axis: number }, Outputs>({
  kernelName: 'SplitV',
  gradFunc: (dy, _, { axis }) => ({ x: () => tf.concat(listOf(dy), axis) }),
});

/** The gradient of cumulative sums: those of dy from the other end. */
const cumsum = gradient<{ readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean }>({
  kernelName: 'Cumsum',
  gradFunc: (dy, _, { axis, exclusive, reverse }) => ({
    x: () => tf.cumsum(dy, tf.util.parseAxisParam(axis, dy.shape)[0], exclusive, !reverse),
  }),
});

export const shapeGradients = [tile, depthToSpace, flipLeftRight, unstack, split, cumsum];
