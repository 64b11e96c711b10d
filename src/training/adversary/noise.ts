// Random starts of training attacks: each image has a stream of random numbers of its own.

import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, type Key } from '../../core/key.ts';
import { sizeOf } from '../../core/structure.ts';

/**
 * Images plus noise, not clipped; owned by the caller.
 *
 * @param images [batch, height, width, channels]; borrowed
 * @param samples the images' numbers in their data set, at least one for each image
 * @param draw the noise of one image, `size` numbers, from its stream
 */
export function withNoise(
  images: Tensor4D,
  samples: readonly number[],
  key: Key,
  draw: (stream: Key, size: number) => Float32Array,
): Tensor4D {
  const [count, ...imageShape] = images.shape;
  const size = sizeOf(imageShape);
  const noise = new Float32Array(images.size);
  for (const [i, sample] of samples.slice(0, count).entries()) {
    noise.set(draw(foldIn(foldIn(key, 'start-noise'), sample), size), i * size);
  }
  return tf.tidy(() => tf.add(images, tf.tensor4d(noise, images.shape)));
}
