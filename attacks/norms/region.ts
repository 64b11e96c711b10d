// Regions of batches of images: a ball around each image, within the bounds.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Bounds } from '../types.ts';
import type { Norm } from './norm.ts';

type Shape = Tensor4D['shape'];

/** Where adversarial images may lie: inside the ball around each image and the box of valid pixels. */
export interface Region {
  /** Points of the region near the given ones, up to float32; owned by the caller. */
  readonly project: (adversarial: Tensor4D) => Tensor4D;
  /** The step of length 1 that increases the loss most; owned by the caller. */
  readonly steepest: (gradient: Tensor4D, adversarial: Tensor4D) => Tensor4D;
  readonly dispose: () => void;
}

/** The region of a norm that is projected to by its ball, then by the bounds. */
export function ballAndBounds(
  { project }: Pick<Norm, 'project'>,
  epsilon: number,
  bounds: Bounds,
  pixels: Float32Array,
  shape: Shape,
  steepest: Region['steepest'],
): Region {
  const images = tf.tensor4d(pixels, shape);
  return {
    project: (adversarial) =>
      tf.tidy(() => {
        const nearest = tf.add(images, project(tf.sub(adversarial, images), epsilon));
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
