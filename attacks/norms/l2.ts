import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, normal, uniform } from '../../src/core/key.ts';
import type { Norm } from './norm.ts';

/** Keeps a zero gradient zero; below every gradient whose square float32 can hold. */
const TINY = 1e-20;

/** ‖δ‖₂ a sample, [batch, 1, 1, 1]. */
const length = (x: Tensor4D): Tensor4D => tf.sqrt(tf.sum(tf.square(x), [1, 2, 3], true));

/** ‖δ‖₂ = √Σ δ_i². */
export const l2: Norm = {
  name: 'l2',
  // A direction uniform on the sphere, and a radius with density ∝ r^(size − 1).
  sample: (key, size, epsilon) => {
    const direction = normal(foldIn(key, 'direction'), size);
    const [u] = uniform(foldIn(key, 'radius'), 1);
    const squares = direction.reduce((sum, x) => sum + x * x, 0);
    const scale = (epsilon * u ** (1 / size)) / Math.max(Math.sqrt(squares), TINY);
    return direction.map((x) => x * scale);
  },
  steepest: (gradient) => tf.tidy(() => tf.div(gradient, tf.maximum(length(gradient), TINY))),
  project: (perturbation, epsilon) =>
    tf.tidy(() => {
      const norms = length(perturbation);
      return tf.mul(perturbation, tf.div(tf.minimum(norms, epsilon), tf.maximum(norms, TINY)));
    }),
  length: (perturbation) => tf.tidy(() => tf.reshape(length(perturbation), [-1]) as Tensor1D),
  distance: (a, b) => {
    let squares = 0;
    for (let i = 0; i < a.length; i++) squares += (a[i] - b[i]) ** 2;
    return Math.sqrt(squares);
  },
};
