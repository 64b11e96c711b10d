import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Bounds } from '../types.ts';
import type { Norm } from './index.ts';

type Shape = Tensor4D['shape'];

/** Where adversarial images may lie: inside the ball around each image and the box of valid pixels. */
export interface Region {
  /** Points of the region near the given ones, up to float32; owned by the caller. */
  readonly project: (adversarial: Tensor4D) => Tensor4D;
  /** The step of length 1 that increases the loss most; owned by the caller. */
  readonly steepest: (gradient: Tensor4D, adversarial: Tensor4D) => Tensor4D;
  readonly dispose: () => void;
}

/**
 * The region around images.
 *
 * @param pixels of the images, row-major; borrowed while the region is in use
 */
export function regionAround(norm: Norm, epsilon: number, bounds: Bounds, pixels: Float32Array, shape: Shape): Region {
  if (norm.name === 'linf') return boxAround(norm, epsilon, bounds, pixels, shape);
  const images = tf.tensor4d(pixels, shape);
  const steepest = (gradient: Tensor4D, adversarial: Tensor4D) =>
    norm.steepest(norm.name === 'l1' ? movable(gradient, adversarial, bounds) : gradient);
  return {
    project: (adversarial) =>
      tf.tidy(() => {
        const nearest = tf.add(images, norm.project(tf.sub(adversarial, images), epsilon));
        return tf.clipByValue(nearest, ...bounds) as Tensor4D;
      }),
    steepest: (gradient, adversarial) => tf.tidy(() => steepest(gradient, adversarial)),
    dispose: () => images.dispose(),
  };
}

/** The outermost float32 numbers inside a linf ball and the bounds, which are one box. */
export function faces(epsilon: number, [low, high]: Bounds, pixels: Float32Array) {
  const lowest = new Float32Array(pixels.length);
  const highest = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) {
    lowest[i] = Math.max(reach(pixels[i], -epsilon), low);
    highest[i] = Math.min(reach(pixels[i], epsilon), high);
  }
  return { lowest, highest };
}

function boxAround(norm: Norm, epsilon: number, bounds: Bounds, pixels: Float32Array, shape: Shape): Region {
  const { lowest, highest } = faces(epsilon, bounds, pixels);
  const lower = tf.tensor4d(lowest, shape);
  const upper = tf.tensor4d(highest, shape);
  return {
    project: (adversarial) => tf.tidy(() => tf.minimum(tf.maximum(adversarial, lower), upper) as Tensor4D),
    steepest: (gradient) => norm.steepest(gradient),
    dispose: () => {
      lower.dispose();
      upper.dispose();
    },
  };
}

/** The float32 number nearest to x + offset that is no further from x than that. */
function reach(x: number, offset: number): number {
  const reached = Math.fround(x + offset);
  if (Math.abs(reached - x) <= Math.abs(offset)) return reached;
  // Less in magnitude where x + offset lies beyond x as seen from 0, else more.
  return neighbour(reached, reached > 0 === offset > 0 ? -1 : 1);
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The next float32 number of smaller (−1) or larger (1) magnitude. */
function neighbour(x: number, direction: -1 | 1): number {
  float[0] = x;
  bits[0] += direction;
  return float[0];
}

/** The gradient without the pixels that a step would push out of their bounds, which a sparse step would waste itself on. */
const movable = (gradient: Tensor4D, adversarial: Tensor4D, [low, high]: Bounds): Tensor4D => {
  const stuck = tf.logicalOr(
    tf.logicalAnd(tf.greaterEqual(adversarial, high), tf.greater(gradient, 0)),
    tf.logicalAnd(tf.lessEqual(adversarial, low), tf.less(gradient, 0)),
  );
  return tf.mul(gradient, tf.cast(tf.logicalNot(stuck), 'float32'));
};

/**
 * Pulls an adversarial image towards its image until their distance, in float64, is at most epsilon: sums in float32 and
 * the rounding of pixels can leave it a little outside. Changes `adversarial`.
 */
export function confine(norm: Norm, epsilon: number, image: Float32Array, adversarial: Float32Array): void {
  let distance = norm.distance(adversarial, image);
  for (let slack = 2 ** -23; distance > epsilon; slack *= 2) {
    const scale = Math.max(0, (epsilon / distance) * (1 - slack));
    for (let i = 0; i < image.length; i++) adversarial[i] = image[i] + scale * (adversarial[i] - image[i]);
    distance = norm.distance(adversarial, image);
  }
}
