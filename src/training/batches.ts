import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Attack } from '../../attacks/types.ts';
import { batchImages, batchLabels, epochBatches } from '../data/batch.ts';
import type { Weights } from '../models/types.ts';
import { type AttackedBatch, attackBatch } from './attacks.ts';
import { type Costs, NO_COSTS } from './costs.ts';
import type { Task } from './task.ts';

/** A training batch with its adversarial examples; the images themselves where nothing is attacked. */
export interface TrainingBatch extends AttackedBatch {
  readonly adversarial: Tensor4D;
}

/** The image numbers of each batch of an epoch, counted from 0; a function of the seed alone. */
export const batchesOfEpoch = ({ indices, config, keys }: Task, epoch: number): Int32Array[] =>
  epochBatches(indices.train, config.batchSize, keys.data(epoch));

/** The images of one batch as an epoch shows them, augmented, or as they are; owned by the caller. */
export function drawBatch(
  { dataset, config, keys }: Task,
  epoch: number,
  indices: Int32Array,
  { augmented = true }: { readonly augmented?: boolean } = {},
): AttackedBatch {
  const augmentation = augmented ? config.augment : 'none';
  return {
    images: batchImages(dataset.train, indices, dataset.imageShape, { augmentation, key: keys.data(epoch) }),
    labels: batchLabels(dataset.train, indices),
    samples: Array.from(indices),
  };
}

/**
 * The batch with adversarial examples against `weights`, and what they took. It takes over the batch it is given.
 *
 * @param attack null: the images are their own examples
 */
export async function withAdversarial(
  { objective, program, config, keys }: Task,
  attack: Attack | null,
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
    return { batch: { ...batch, adversarial }, costs };
  } catch (error) {
    disposeBatch(batch);
    throw error;
  }
}

export const disposeBatch = ({
  images,
  labels,
  adversarial,
}: AttackedBatch & { readonly adversarial?: Tensor4D }): void => tf.dispose([images, labels, adversarial ?? []]);
