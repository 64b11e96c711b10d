// The gradients of ops that reduce axes: sums, means, products, maxima and minima.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { gradient } from './gradient.ts';

/** The axes of a reduction as tfjs-core's ops pass them, null for all: maxima alone have another name for them. */
interface Reduction {
  readonly axis: number | number[];
  readonly reductionIndices: number | number[];
}

const axesOf = ({ axis, reductionIndices }: Reduction, x: Tensor): number[] =>
  tf.util.parseAxisParam(axis ?? reductionIndices, x.shape);

/** The shape that a reduction of `x` has if it keeps the reduced axes, with size 1. */
const keptShape = ({ shape }: Tensor, axes: readonly number[]): number[] =>
  shape.map((size, i) => (axes.includes(i) ? 1 : size));

/** A sum's or mean's dy, repeated to the shape of what was reduced. Its ones are made by the backend, not number by number. */
const repeated = (dy: Tensor, x: Tensor, axes: readonly number[]): Tensor =>
  tf.mul(tf.reshape(dy, keptShape(x, axes)), tf.fill(x.shape, 1));

/** The gradients of sums and means, as tfjs-core's but for ones and for the division, which is done before dy is repeated. */
const averaging = (kernelName: 'Sum' | 'Mean') =>
  gradient<Reduction>({
    kernelName,
    inputsToSave: ['x'],
    reads: {},
    gradFunc: (dy, [x], attrs) => {
      const axes = axesOf(attrs, x);
      const share = () => (kernelName === 'Mean' ? tf.div(dy, sizeOf(axes.map((axis) => x.shape[axis]))) : dy);
      return { x: () => repeated(share(), x, axes) };
    },
  });

/**
 * The gradients of maxima and minima. Values that are equally extreme share dy equally, which is a subgradient; tfjs-core
 * gives each of them the whole of dy.
 */
const extreme = (kernelName: 'Max' | 'Min') =>
  gradient<Reduction>({
    kernelName,
    inputsToSave: ['x'],
    outputsToSave: [true],
    gradFunc: (dy, [x, y], attrs) => ({
      x: () => {
        const axes = axesOf(attrs, x);
        const kept = keptShape(x, axes);
        const isExtreme = tf.cast(tf.equal(x, tf.reshape(y, kept)), 'float32');
        return tf.mul(isExtreme, tf.div(tf.reshape(dy, kept), tf.sum(isExtreme, axes, true)));
      },
    }),
  });

/** The gradient of products: dy times the product of all other factors, which is exact where a factor is 0 as well. */
const product = gradient<Reduction>({
  kernelName: 'Prod',
  inputsToSave: ['x'],
  gradFunc: (dy, [x], attrs) => ({
    x: () => {
      const axes = axesOf(attrs, x);
      const others = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
      const order = [...others, ...axes];
      const moved = tf.transpose(x, order);
      const factors = tf.reshape(moved, [dy.size, sizeOf(axes.map((axis) => x.shape[axis]))]);
      const before = tf.cumprod(factors, 1, true, false);
      const after = tf.cumprod(factors, 1, true, true);
      const slopes = tf.mul(tf.reshape(dy, [dy.size, 1]), tf.mul(before, after));
      return tf.transpose(tf.reshape(slopes, moved.shape), tf.backend_util.getUndoAxesPermutation(order));
    },
  }),
});

export const reductionGradients = [averaging('Sum'), averaging('Mean'), extreme('Max'), extreme('Min'), product];
