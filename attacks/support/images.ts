// Images as callers give them. Every batch of images is checked and read here, before anything is counted: its type and
// shape by `checkImages`, its pixels by `readPixels`.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import type { Bounds } from '../types.ts';
import { describe } from './describe.ts';

/** How far beyond its bounds a pixel may lie, as a share of their range: rounding, not a missing division by 255. */
const TOLERANCE = 1e-6;

/**
 * Throws InputError for what is no float32 tensor [batch, height, width, channels].
 *
 * @param name what messages call it
 */
export function checkImages(images: unknown, name = 'images'): asserts images is Tensor4D {
  if (!(images instanceof tf.Tensor) || images.isDisposed) {
    throw new InputError(
      `${name}: expected a float32 tensor [batch, height, width, channels], got ${describe(images)}. ` +
        'Make one with tf.tensor4d(pixels, [batch, height, width, channels]).',
    );
  }
  const { rank, shape, dtype } = images;
  if (rank !== 4 || shape.slice(1).includes(0)) {
    throw new InputError(
      `${name}: expected [batch, height, width, channels], got [${shape}].${
        rank === 3 ? ' Make one image a batch with tf.expandDims(image, 0).' : ' Give them that shape with tf.reshape.'
      }`,
    );
  }
  if (dtype !== 'float32') {
    throw new InputError(
      `${name}: expected float32 pixels, got ${dtype}. Make them float32 and divide bytes by 255: ` +
        `tf.div(tf.cast(${name}, 'float32'), 255).`,
    );
  }
}

/**
 * The pixels of a batch of images, each within the bounds; borrowed where the tensor's own data serve.
 *
 * Throws InputError for what `checkImages` refuses, and naming the image for pixels that are not finite or lie beyond
 * the bounds by more than float tolerance.
 *
 * @param first the number of the batch's first image, for messages
 */
export async function readPixels(images: Tensor4D, bounds: Bounds, first = 0): Promise<Float32Array> {
  checkImages(images);
  const [low, high] = bounds;
  const pixels = (await images.data()) as Float32Array;
  const slack = TOLERANCE * (high - low);
  let outside = false;
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels[i];
    if (!(pixel >= low && pixel <= high)) {
      outside = true;
      if (!(pixel >= low - slack && pixel <= high + slack)) {
        throw outOfBounds(first + Math.floor((i * images.shape[0]) / images.size), pixel, bounds);
      }
    }
  }
  return outside ? pixels.map((pixel) => Math.min(Math.max(pixel, low), high)) : pixels;
}

function outOfBounds(image: number, pixel: number, [low, high]: Bounds): InputError {
  if (!Number.isFinite(pixel)) {
    return new InputError(
      `images: expected pixels in [${low}, ${high}]; a pixel of image ${image} is ${pixel}. Look for its cause in how ` +
        'the images are made.',
    );
  }
  return new InputError(
    `images: expected pixels in [${low}, ${high}]; a pixel of image ${image} is ${Number(pixel.toPrecision(6))}. Divide bytes by 255, leave ` +
      'normalisation to the model (see classifier), or set the option bounds.',
  );
}
