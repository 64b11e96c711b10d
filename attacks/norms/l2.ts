// The l2 norm. Lengths are sums of squares in float32, so numbers are scaled by a power of two first where they must be.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, normal, uniform } from '../../src/core/key.ts';
import { clip, confine, lengthOf, scaleTo } from './ball.ts';
import { movingAll } from './hyperplane.ts';
import { moderationOf, orOne } from './moderate.ts';
import type { Norm } from './norm.ts';
import { ballAndBounds } from './region.ts';

/** √Σ x² a sample, [batch, 1, 1, 1], of numbers whose squares float32 can hold. */
const rootOfSquares = (x: Tensor4D): Tensor4D => tf.sqrt(tf.sum(tf.square(x), [1, 2, 3], true));

/** ‖δ‖₂ a sample, [batch, 1, 1, 1]. */
const length = (x: Tensor4D): Tensor4D => {
  const factor = moderationOf(x);
  return tf.div(rootOfSquares(tf.mul(x, factor)), factor);
};

/** ‖δ‖₂ = √Σ δ_i². */
export const l2: Norm = {
  name: 'l2',
  // A direction uniform on the sphere, and a radius with density ∝ r^(size − 1).
  sample: (key, size, epsilon) => {
    const direction = normal(foldIn(key, 'direction'), size);
    const [u] = uniform(foldIn(key, 'radius'), 1);
    const squares = direction.reduce((sum, x) => sum + x * x, 0);
    const scale = (epsilon * u ** (1 / size)) / Math.sqrt(squares);
    return direction.map((x) => x * scale);
  },
  steepest: (gradient) =>
    tf.tidy(() => {
      const moderate = tf.mul(gradient, moderationOf(gradient)) as Tensor4D;
      return tf.div(moderate, orOne(rootOfSquares(moderate)));
    }),
  project: (perturbation, epsilon) =>
    tf.tidy(() => {
      const lengths = length(perturbation);
      return tf.mul(perturbation, tf.div(tf.minimum(lengths, epsilon), orOne(lengths)));
    }),
  length: (perturbation) => tf.tidy(() => tf.reshape(length(perturbation), [-1]) as Tensor1D),
  distance: (a, b) => {
    let squares = 0;
    for (let i = 0; i < a.length; i++) squares += (a[i] - b[i]) ** 2;
    return Math.sqrt(squares);
  },
  region: (epsilon, bounds, pixels, shape) => ballAndBounds(l2, epsilon, bounds, pixels, shape, l2.steepest),
  isExact: false,
  largestRadius: () => Number.POSITIVE_INFINITY,
  sum: { term: (change) => change ** 2, total: (radius) => radius ** 2 },
  ball: (epsilon, bounds, image) => ({
    project: (point) => {
      const distance = l2.distance(point, image);
      const scale = distance > epsilon ? epsilon / distance : 1;
      for (let i = 0; i < point.length; i++) {
        point[i] = clip(scale === 1 ? point[i] : image[i] + scale * (point[i] - image[i]), bounds);
      }
      confine(l2, epsilon, image, point);
    },
  }),
  climb: (point, gradient, length) => {
    const scale = scaleTo(length, lengthOf(l2, gradient));
    for (let i = 0; i < point.length; i++) point[i] += scale * gradient[i];
  },
  gain: (gradient) => lengthOf(l2, gradient),
  toHyperplane: movingAll((magnitude) => magnitude),
};
