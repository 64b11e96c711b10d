// The batches of a run: which images they hold, the order they come in, their pixels, and their adversarial examples.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, type Key, normal, permutation } from '../../core/key.ts';
import { batchImages, batchLabels, epochBatches } from '../../data/batch.ts';
import type { Split } from '../../data/types.ts';
import type { Weights } from '../../models/types.ts';
import { extraBatches, splitBatch } from '../../objectives/extra-images.ts';
import { withNoise } from '../adversary/noise.ts';
import { type AttackedBatch, attackBatch } from '../adversary/training-batches.ts';
import type { TrainingAttack } from '../adversary/types.ts';
import { type Costs, NO_COSTS } from '../run/costs.ts';
import type { Task } from '../task.ts';

/** A training batch with its adversarial examples; these are the images themselves if nothing is attacked. */
export interface TrainingBatch extends AttackedBatch {
  readonly adversarial: Tensor4D;
}

/**
 * The image numbers of each batch of an epoch, counted from 0; a function of the seed alone. An epoch shows every training
 * image once. Extra images are the last of each batch; their numbers follow those of the training split. Fixed batches have
 * the same images in every epoch, and come in another order.
 */
export function batchesOfEpoch(task: Task, epoch: number): Int32Array[] {
  if (!task.config.fixedBatches) return drawBatches(task, task.keys.data(epoch));
  const batches = drawBatches(task, task.keys.batches);
  return Array.from(batchOrder(task, epoch), (number) => batches[number]);
}

/** The numbers of the batches of an epoch in their order: batches are told apart by them only where they are fixed. */
export function batchOrder({ config, keys, batchesPerEpoch }: Task, epoch: number): Int32Array {
  return config.fixedBatches
    ? permutation(foldIn(keys.data(epoch), 'order'), batchesPerEpoch)
    : Int32Array.from({ length: batchesPerEpoch }, (_, i) => i);
}

function drawBatches({ dataset, indices, config, objective, extra }: Task, key: Key): Int32Array[] {
  const sizes = splitBatch(config.batchSize, objective.extraShare);
  const batches = epochBatches(indices.train, sizes.labelled, key);
  if (extra === null) return batches;
  const beside = extraBatches(extra.count, batches.length, sizes.extra, key);
  return batches.map((batch, i) => {
    // The last batch may be smaller, and has as large a share of extra images.
    const count = Math.round((sizes.extra * batch.length) / sizes.labelled);
    const numbers = beside[i].subarray(0, count).map((number) => dataset.train.count + number);
    const all = new Int32Array(batch.length + count);
    all.set(batch);
    all.set(numbers, batch.length);
    return all;
  });
}

/**
 * The images of one batch as an epoch shows them, augmented and with the noise of the configuration, which is not clipped, or as
 * they are; owned by the caller.
 */
export function drawBatch(
  task: Task,
  epoch: number,
  indices: Int32Array,
  { augmented = true }: { readonly augmented?: boolean } = {},
): AttackedBatch {
  const batch = drawImages(task, epoch, indices, augmented);
  const { noise } = task.config;
  if (noise === undefined || !augmented) return batch;
  const { images, samples } = batch;
  const noisy = withNoise(images, samples, foldIn(task.keys.data(epoch), 'noise'), (stream, size) =>
    normal(stream, size).map((value) => noise * value),
  );
  images.dispose();
  return { ...batch, images: noisy };
}

function drawImages(
  { dataset, extra, config, keys }: Task,
  epoch: number,
  indices: Int32Array,
  augmented: boolean,
): AttackedBatch {
  const augmentation = augmented ? config.augment : 'none';
  const key = keys.data(epoch);
  const draw = (split: Split, numbers: Int32Array, drawKey: Key) => ({
    images: batchImages(split, numbers, dataset.imageShape, { augmentation, key: drawKey }),
    labels: batchLabels(split, numbers),
  });
  const samples = Array.from(indices);
  const { count } = dataset.train;
  const ofDataset = indices.filter((number) => number < count);
  if (extra === null) return { ...draw(dataset.train, ofDataset, key), samples };
  return tf.tidy(() => {
    const own = draw(dataset.train, ofDataset, key);
    const beside = draw(
      extra,
      indices.subarray(ofDataset.length).map((number) => number - count),
      foldIn(key, 'extra'),
    );
    return {
      images: tf.concat([own.images, beside.images]),
      labels: tf.concat([own.labels, beside.labels]),
      samples,
    };
  });
}

/**
 * The batch with adversarial examples against `weights`, and what they took. It takes over the batch it is given.
 *
 * @param attack null: the images are their own examples
 */
export async function withAdversarial(
  { objective, program, config, keys }: Task,
  attack: TrainingAttack | null,
  weights: Weights,
  epoch: number,
  batch: AttackedBatch,
): Promise<{ batch: TrainingBatch; costs: Costs }> {
  if (attack === null) return { batch: { ...batch, adversarial: tf.clone(batch.images) }, costs: NO_COSTS };
  try {
    const { adversarial, costs } = await attackBatch(attack, objective, program, weights, batch, {
      key: keys.attack(epoch),
      mode: config.attackBn,
    });
    return { batch: { ...repeated(batch, adversarial.shape[0]), adversarial }, costs };
  } catch (error) {
    disposeBatch(batch);
    throw error;
  }
}

/** The batch with every image as often as it takes for `count` images, one after all others. Takes over the batch it is given. */
function repeated(batch: AttackedBatch, count: number): AttackedBatch {
  const { images, labels, samples } = batch;
  const times = count / samples.length;
  if (times === 1) return batch;
  const repeat = <T extends Tensor>(tensor: T): T =>
    tf.concat(
      Array.from({ length: times }, () => tensor),
      0,
    );
  try {
    return {
      images: repeat(images),
      labels: repeat(labels),
      samples: Array.from({ length: times }, () => samples).flat(),
    };
  } finally {
    disposeBatch(batch);
  }
}

export const disposeBatch = ({
  images,
  labels,
  adversarial,
}: AttackedBatch & { readonly adversarial?: Tensor4D }): void => tf.dispose([images, labels, adversarial ?? []]);
