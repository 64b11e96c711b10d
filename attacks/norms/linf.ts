import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { uniform } from '../../src/core/key.ts';
import type { Norm } from './norm.ts';

/** ‖δ‖∞ = max |δ_i|. */
export const linf: Norm = {
  name: 'linf',
  sample: (key, size, epsilon) => uniform(key, size, -epsilon, epsilon),
  steepest: (gradient) => tf.sign(gradient),
  project: (perturbation, epsilon) => tf.clipByValue(perturbation, -epsilon, epsilon) as Tensor4D,
  length: (perturbation) => tf.tidy(() => tf.max(tf.abs(perturbation), [1, 2, 3]) as Tensor1D),
  distance: (a, b) => {
    let largest = 0;
    for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
    return largest;
  },
};
