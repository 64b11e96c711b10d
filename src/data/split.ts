// Which images of a data set are trained on, held out and tested on.
import { InputError } from '../core/errors.ts';
import { foldIn, permutation, seedKey } from '../core/key.ts';
import type { Dataset, Split } from './types.ts';

export const VALIDATION_SHARE = 0.05;
export const VALIDATION_LIMIT = 1000;

/** The numbers of images in a split, ascending. */
export interface TrainingIndices {
  readonly train: Int32Array;
  /** Held out of training. */
  readonly validation: Int32Array;
}

/**
 * The training images and those held out of them for validation: 5 %, at most 1,000.
 *
 * Which images are held out depends on the data set's name and size only, not on a run's seed, so all runs train on the
 * same images and choose by the same ones. A limit counts the training images that are left; the images held out are
 * then 5 % of it, some of those held out without a limit.
 *
 * @param limit the largest number of training images, balanced over the classes
 * @throws InputError for a data set without training images
 */
export function trainingIndices(
  { name, train }: Pick<Dataset, 'name' | 'train'>,
  limit: number = train.count,
): TrainingIndices {
  if (train.count === 0) {
    throw new InputError(
      `The data set ${name} has test images only, which nothing is trained on. To train, put images into train/CLASS beside test.`,
    );
  }
  const order = permutation(foldIn(seedKey('validation'), name), train.count);
  const share = (count: number) => Math.min(VALIDATION_LIMIT, Math.round(VALIDATION_SHARE * count));
  const held = order.slice(0, share(train.count));
  const rest = order.slice(held.length).sort();
  return {
    train: balanced(train.labels, rest, limit),
    validation: held.slice(0, share(Math.min(limit, train.count))).sort(),
  };
}

/** All images of the test split, or `limit` of them, balanced over the classes. */
export const testIndices = ({ count, labels }: Split, limit: number = count): Int32Array =>
  balanced(
    labels,
    Int32Array.from({ length: count }, (_, i) => i),
    limit,
  );

/**
 * Chooses at most `limit` of the images, ascending. Classes take turns, each giving its next image in the order of the file, so
 * that the numbers of images by class differ by at most one while all classes last.
 */
export function balanced(labels: Uint8Array, indices: Int32Array, limit: number): Int32Array {
  if (limit >= indices.length) return indices;
  const rounds = new Int32Array(indices.length);
  const seen = new Map<number, number>();
  indices.forEach((index, i) => {
    const round = seen.get(labels[index]) ?? 0;
    rounds[i] = round;
    seen.set(labels[index], round + 1);
  });
  const turns = Array.from(indices.keys()).sort(
    (a, b) => rounds[a] - rounds[b] || labels[indices[a]] - labels[indices[b]],
  );
  return Int32Array.from(turns.slice(0, limit), (i) => indices[i]).sort();
}
