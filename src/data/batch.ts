// Makes batches of images and labels from a split in memory.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type Key, permutation } from '../core/key.ts';
import { sizeOf } from '../core/structure.ts';
import { placements, writeImage } from './augment.ts';
import type { Augmentation, PixelShape, Split } from './types.ts';

/** Options of an augmented batch. */
export interface BatchOptions {
  readonly augmentation: Augmentation;
  /** Names the epoch's augmentation; each image has a stream of its own below it. */
  readonly key: Key;
}

const AS_THEY_ARE: BatchOptions = { augmentation: 'none', key: [0, 0, 0, 0] };

/**
 * Images of a split as pixels in [0, 1]: float32 [batch, height, width, channels], owned by the caller.
 *
 * @param indices their numbers in the split
 */
export function batchImages(
  { images }: Split,
  indices: ArrayLike<number>,
  imageShape: PixelShape,
  { augmentation, key }: BatchOptions = AS_THEY_ARE,
): Tensor4D {
  const size = sizeOf(imageShape);
  const place = placements(augmentation, key);
  const pixels = new Float32Array(indices.length * size);
  for (let i = 0; i < indices.length; i++) {
    writeImage(images, indices[i] * size, pixels, i * size, imageShape, place(indices[i]));
  }
  return tf.tensor4d(pixels, [indices.length, ...imageShape]);
}

/** Labels of a split's images: int32 [batch], owned by the caller. */
export const batchLabels = ({ labels }: Split, indices: ArrayLike<number>): Tensor1D =>
  tf.tensor1d(
    Int32Array.from(indices, (index) => labels[index]),
    'int32',
  );

/** Consecutive batches of these images; the last may be smaller. */
export const batchesOf = (indices: Int32Array, batchSize: number): Int32Array[] =>
  Array.from({ length: Math.ceil(indices.length / batchSize) }, (_, i) =>
    indices.slice(i * batchSize, (i + 1) * batchSize),
  );

/** The batches of an epoch: every image once, in the random order that `key`, the epoch's, names. */
export function epochBatches(indices: Int32Array, batchSize: number, key: Key): Int32Array[] {
  const order = permutation(key, indices.length);
  return batchesOf(
    order.map((position) => indices[position]),
    batchSize,
  );
}
