// The gradient of batch normalisation.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { gradient, sumTo } from './gradient.ts';

/**
 * The gradients of y = (x − mean) · scale / √(variance + ε) + offset, as tfjs-core's but each computed only where it is
 * asked for: an attack, which wants the one of x, pays one multiplication instead of five and two copies of x.
 */
export const batchNormGradient = gradient<{ readonly varianceEpsilon: number }>({
  kernelName: 'FusedBatchNorm',
  inputsToSave: ['x', 'mean', 'variance', 'scale'],
  reads: {
    x: ['variance', 'scale'],
    mean: ['variance', 'scale'],
    variance: ['x', 'mean', 'variance', 'scale'],
    scale: ['x', 'mean', 'variance'],
  },
  gradFunc: (dy, saved, { varianceEpsilon }) => {
    const [x, mean, variance, scale = tf.scalar(1)] = saved;
    const inverse = () => tf.rsqrt(tf.add(variance, varianceEpsilon));
    const cubed = (v: Tensor) => tf.mul(v, tf.square(v));
    const shift = () => sumTo(dy, mean.shape);
    const correlation = () => sumTo(tf.mul(dy, tf.sub(x, mean)), mean.shape);
    return {
      x: () => tf.mul(dy, tf.mul(scale, inverse())),
      mean: () => tf.neg(tf.mul(shift(), tf.mul(scale, inverse()))),
      variance: () => tf.mul(correlation(), tf.mul(tf.mul(scale, -0.5), cubed(inverse()))),
      scale: () => tf.mul(correlation(), inverse()),
      offset: shift,
    };
  },
});
