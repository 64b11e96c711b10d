import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import './tfjs-gradients.js';

/** A reduction's dy, repeated to the shape of what was reduced. Its ones are made by the backend, not number by number. */
function repeated(dy: Tensor, { shape }: Tensor, axes: readonly number[]): Tensor {
  const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size));
  return tf.mul(tf.reshape(dy, kept), tf.fill(shape, 1));
}

/** The gradients of sums and means, as tfjs-core's but for ones and for the division, which is done before dy is repeated. */
for (const [kernelName, isMean] of [
  ['Sum', false],
  ['Mean', true],
] as const) {
  tf.unregisterGradient(kernelName);
  tf.registerGradient({
    kernelName,
    inputsToSave: ['x'],
    gradFunc: (dy, saved, attrs) => {
      const [x] = saved;
      const axes = tf.util.parseAxisParam((attrs as unknown as { readonly axis: number | number[] }).axis, x.shape);
      const count = axes.reduce((product, axis) => product * x.shape[axis], 1);
      const share = () => (isMean ? tf.div(dy as Tensor, count) : (dy as Tensor));
      return { x: () => repeated(share(), x, axes) };
    },
  });
}
