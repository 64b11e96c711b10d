// The l1 norm. Its steps are sparse: they go to the pixels with the largest gradients only.
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, uniform } from '../../src/core/key.ts';
import type { Bounds } from '../types.ts';
import { largestDistance, lengthOf, sumOfDistances } from './ball.ts';
import { ballWithinBounds } from './l1-ball.ts';
import { byMagnitude, magnitudesOf, nthLargest } from './largest.ts';
import type { Norm } from './norm.ts';
import { ballAndBounds } from './region.ts';

/** The share of pixels that one step moves. */
const MOVED = 0.01;

const flat = (x: Tensor4D): Tensor2D => tf.reshape(x, [x.shape[0], -1]);

/**
 * ‖δ‖₁ = Σ |δ_i|.
 *
 * The steepest step in l1 moves the one pixel with the largest gradient, which the bounds of pixels stop at once; the
 * normalised gradient (foolbox) spreads the step over all of them. This is SLIDE's step between the two (Tramèr and Boneh
 * 2019, arXiv:1904.13000): the 1 % of pixels with the largest gradients, all by the same amount.
 */
export const l1: Norm = {
  name: 'l1',
  // Exponential magnitudes over their sum and one more are uniform on the simplex; signs make it the ball.
  sample: (key, size, epsilon) => {
    const exponentials = uniform(foldIn(key, 'magnitudes'), size + 1).map((u) => -Math.log(1 - u));
    const signs = uniform(foldIn(key, 'signs'), size);
    const scale = epsilon / exponentials.reduce((sum, x) => sum + x, 0);
    return signs.map((u, i) => (u < 0.5 ? -1 : 1) * exponentials[i] * scale);
  },
  steepest: (gradient) =>
    tf.tidy(() => {
      const magnitudes = tf.abs(flat(gradient));
      const moved = Math.ceil(MOVED * magnitudes.shape[1]);
      const threshold = tf.min(tf.topk(magnitudes, moved).values, 1, true);
      const signs = tf.mul(tf.sign(flat(gradient)), tf.cast(tf.greaterEqual(magnitudes, threshold), 'float32'));
      const count = tf.maximum(tf.sum(tf.abs(signs), 1, true), 1);
      return tf.reshape(tf.div(signs, count), gradient.shape);
    }),
  // Duchi et al. 2008: shrink every magnitude by the θ that leaves a sum of epsilon. No magnitude may stay above epsilon, so
  // all shrink by the excess of the largest first: sums of much larger numbers would overflow, or lose epsilon by rounding.
  project: (perturbation, epsilon) =>
    tf.tidy(() => {
      const whole = tf.abs(flat(perturbation));
      const largest = tf.max(whole, 1, true);
      const shrunkAll = tf.relu(tf.sub(epsilon, tf.sub(largest, whole)));
      const magnitudes = tf.where(tf.greater(largest, epsilon), shrunkAll, whole) as Tensor2D;
      const size = magnitudes.shape[1];
      const sorted = tf.topk(magnitudes, size).values;
      const thetas = tf.div(tf.sub(tf.cumsum(sorted, 1), epsilon), tf.range(1, size + 1));
      const active = tf.maximum(tf.sum(tf.cast(tf.greater(sorted, thetas), 'float32'), 1, true), 1);
      const total = tf.sum(tf.mul(sorted, rank(size, active)), 1, true);
      const theta = tf.relu(tf.div(tf.sub(total, epsilon), active));
      const shrunk = tf.mul(tf.sign(flat(perturbation)), tf.relu(tf.sub(magnitudes, theta)));
      return tf.reshape(shrunk, perturbation.shape);
    }),
  length: (perturbation) => tf.tidy(() => tf.sum(tf.abs(perturbation), [1, 2, 3]) as Tensor1D),
  distance: sumOfDistances,
  // A sparse step would waste itself on pixels that it pushes out of their bounds.
  region: (epsilon, bounds, pixels, shape) =>
    ballAndBounds(l1, epsilon, bounds, pixels, shape, (gradient, adversarial) =>
      l1.steepest(movable(gradient, adversarial, bounds)),
    ),
  isExact: false,
  largestRadius: () => Number.POSITIVE_INFINITY,
  sum: { term: Math.abs, total: (radius) => radius },
  ball: (epsilon, bounds, image) => ballWithinBounds(l1, epsilon, bounds, image),
  climb: (point, gradient, length) => climbSparsely(point, gradient, length, Math.ceil(MOVED * gradient.length)),
  gain: (gradient) => lengthOf({ distance: largestDistance }, gradient),
  // A unit of length gains most at the pixel with the largest gradient, so pixels go all the way, one after another.
  toHyperplane: (point, gradient, value, [low, high]) => {
    const move = new Float64Array(point.length);
    const side = value > 0 ? -1 : 1;
    let missing = Math.abs(value);
    for (const i of byMagnitude(gradient)) {
      if (!(missing > 0)) break;
      const up = side * gradient[i] > 0;
      const weight = Math.abs(gradient[i]);
      const length = Math.min(missing / weight, up ? high - point[i] : point[i] - low);
      move[i] = up ? length : -length;
      missing -= weight * length;
    }
    return move;
  },
};

/**
 * Adds to a point in plain memory a step of a length that goes to the `count` pixels with the largest gradients, all by
 * the same amount; to more where gradients are equal, to fewer where they are 0.
 */
export function climbSparsely(point: Float32Array, gradient: Float32Array, length: number, count: number): void {
  const least = nthLargest(magnitudesOf(gradient), Math.min(Math.max(count, 1), gradient.length));
  const moves = (slope: number) => slope !== 0 && Math.abs(slope) >= least;
  let moved = 0;
  for (let i = 0; i < gradient.length; i++) if (moves(gradient[i])) moved++;
  for (let i = 0; i < gradient.length; i++) {
    if (moves(gradient[i])) point[i] += (length / moved) * Math.sign(gradient[i]);
  }
}

/** 1 for the `active` largest of `size` sorted magnitudes, 0 for the others. */
const rank = (size: number, active: Tensor): Tensor => tf.cast(tf.less(tf.range(0, size), active), 'float32');

/** The gradient without the pixels that a step would push out of their bounds, which a sparse step would waste itself on. */
const movable = (gradient: Tensor4D, adversarial: Tensor4D, [low, high]: Bounds): Tensor4D => {
  const stuck = tf.logicalOr(
    tf.logicalAnd(tf.greaterEqual(adversarial, high), tf.greater(gradient, 0)),
    tf.logicalAnd(tf.lessEqual(adversarial, low), tf.less(gradient, 0)),
  );
  return tf.mul(gradient, tf.cast(tf.logicalNot(stuck), 'float32'));
};
