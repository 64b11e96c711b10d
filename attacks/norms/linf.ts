// The linf norm, ‖δ‖∞ = max |δ_i|. Its ball within the bounds is a box.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { uniform } from '../../src/core/key.ts';
import { largestDistance, lengthOf, sumOfDistances } from './ball.ts';
import { movingAll } from './hyperplane.ts';
import type { Norm } from './norm.ts';
import { faces } from './region.ts';

/** ‖δ‖∞ = max |δ_i|. */
export const linf: Norm = {
  name: 'linf',
  sample: (key, size, epsilon) => uniform(key, size, -epsilon, epsilon),
  steepest: (gradient) => tf.sign(gradient),
  project: (perturbation, epsilon) => tf.clipByValue(perturbation, -epsilon, epsilon) as Tensor4D,
  length: (perturbation) => tf.tidy(() => tf.max(tf.abs(perturbation), [1, 2, 3]) as Tensor1D),
  distance: largestDistance,
  region: (epsilon, bounds, pixels, shape) => {
    const { lowest, highest } = faces(epsilon, bounds, pixels);
    const lower = tf.tensor4d(lowest, shape);
    const upper = tf.tensor4d(highest, shape);
    return {
      project: (adversarial) => tf.tidy(() => tf.minimum(tf.maximum(adversarial, lower), upper) as Tensor4D),
      steepest: (gradient) => tf.sign(gradient),
      dispose: () => tf.dispose([lower, upper]),
    };
  },
  isExact: true,
  largestRadius: (range) => range,
  sum: null,
  ball: (epsilon, bounds, image) => {
    const { lowest, highest } = faces(epsilon, bounds, image);
    return {
      project: (point) => {
        for (let i = 0; i < point.length; i++) {
          if (point[i] < lowest[i]) point[i] = lowest[i];
          else if (point[i] > highest[i]) point[i] = highest[i];
        }
      },
    };
  },
  climb: (point, gradient, length) => {
    for (let i = 0; i < point.length; i++) point[i] += length * Math.sign(gradient[i]);
  },
  gain: (gradient) => lengthOf({ distance: sumOfDistances }, gradient),
  toHyperplane: movingAll(() => 1),
};
