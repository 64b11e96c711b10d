import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import './tfjs-gradients.js';

const FusedBatchNorm = 'FusedBatchNorm';

/** Sums a tensor over the dimensions in which `shape`, one value a channel or one a place, was repeated. */
function summedTo(x: Tensor, shape: number[]): Tensor {
  const axes = x.shape.map((_, i) => i);
  return tf.reshape(shape.length === x.shape.length ? x : tf.sum(x, axes.slice(0, x.rank - shape.length)), shape);
}

/**
 * The gradients of y = (x − mean) · scale / √(variance + ε) + offset, as tfjs-core's but each computed only where it is
 * asked for: an attack, which wants the one of x, pays one multiplication instead of five and two copies of x.
 */
tf.unregisterGradient(FusedBatchNorm);
tf.registerGradient({
  kernelName: FusedBatchNorm,
  inputsToSave: ['x', 'mean', 'variance', 'scale'],
  gradFunc: (dy, saved, attrs) => {
    const [x, mean, variance, scale = tf.scalar(1)] = saved;
    const { varianceEpsilon } = attrs as unknown as { readonly varianceEpsilon: number };
    const inverse = () => tf.rsqrt(tf.add(variance, varianceEpsilon));
    const cubed = (v: Tensor) => tf.mul(v, tf.square(v));
    const shift = () => summedTo(dy as Tensor, mean.shape);
    const correlation = () => summedTo(tf.mul(dy as Tensor, tf.sub(x, mean)), mean.shape);
    return {
      x: () => tf.mul(dy as Tensor, tf.mul(scale, inverse())),
      mean: () => tf.neg(tf.mul(shift(), tf.mul(scale, inverse()))),
      variance: () => tf.mul(correlation(), tf.mul(tf.mul(scale, -0.5), cubed(inverse()))),
      scale: () => tf.mul(correlation(), inverse()),
      offset: shift,
    };
  },
});
