// Splits batches into labelled images and extra ones with pseudo-labels.
import { InputError } from '../core/errors.ts';
import { foldIn, type Key, permutation } from '../core/key.ts';

/** How many images of a batch are labelled, and how many extra: ⌊share · batchSize⌋, as the code of BSR-Net. */
export function splitBatch(
  batchSize: number,
  extraShare: number,
): { readonly labelled: number; readonly extra: number } {
  const extra = Math.floor(extraShare * batchSize);
  return { labelled: batchSize - extra, extra };
}

/**
 * The numbers of the extra images in each batch of an epoch: one random order of all of them after the other, cut into
 * batches.
 *
 * @param images how many extra images there are
 * @param key of the epoch
 * @throws InputError if there are none
 */
export function extraBatches(images: number, batches: number, size: number, key: Key): Int32Array[] {
  if (images < 1 && batches * size > 0)
    throw new InputError('There are no extra images to fill the batches with; give a file of them.');
  const numbers = new Int32Array(batches * size);
  for (let start = 0, pass = 0; start < numbers.length; start += images, pass++) {
    const order = permutation(foldIn(foldIn(key, 'extra'), pass), images);
    numbers.set(order.subarray(0, numbers.length - start), start);
  }
  return Array.from({ length: batches }, (_, i) => numbers.slice(i * size, (i + 1) * size));
}
