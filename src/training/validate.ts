import type { Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { batchesOf, batchImages, batchLabels } from '../data/batch.ts';
import { balanced } from '../data/split.ts';
import { attackedModel } from './attacks.ts';
import { checkLosses } from './divergence.ts';
import { throwIfAborted, yieldToEvents } from './errors.ts';
import type { TrainedNetwork } from './state.ts';
import type { Task } from './task.ts';

/** Clean and robust accuracy of some images of the training split; robust: right when clean and under PGD-10. */
export interface Measured {
  readonly loss: number;
  readonly robustLoss: number;
  readonly cleanAccuracy: number;
  readonly robustAccuracy: number;
}

/** The most training images on which accuracy is measured. */
const TRAIN_IMAGES_MEASURED = 256;

/** The training images on which accuracy is measured: always the same, as many of each class. */
export const measuredImages = ({ dataset, indices }: Pick<Task, 'dataset' | 'indices'>): Int32Array =>
  balanced(dataset.train.labels, indices.train, TRAIN_IMAGES_MEASURED);

/** Images at a time; larger than a training batch, as nothing is kept for a weight gradient. */
const BATCH_SIZE = 256;

interface MeasureOptions {
  readonly signal?: AbortSignal;
  readonly onImages?: (done: number) => void;
}

/**
 * Accuracy on images of the training split as they are, with running statistics.
 *
 * @param indices their numbers; at least one
 * @throws DivergenceError if a loss is not finite
 */
export async function measureAccuracy(
  task: Task,
  network: TrainedNetwork,
  indices: Int32Array,
  { signal, onImages }: MeasureOptions = {},
): Promise<Measured> {
  const { dataset, program, attacks, keys } = task;
  const { params, statistics } = network;
  const model = attackedModel(program, { params, state: statistics }, 'evaluate');
  const sums = { loss: 0, robustLoss: 0, clean: 0, robust: 0 };
  let done = 0;
  for (const batch of batchesOf(indices, BATCH_SIZE)) {
    const images = batchImages(dataset.train, batch, dataset.imageShape);
    const labels = batchLabels(dataset.train, batch);
    try {
      const truth = batch.map((index) => dataset.train.labels[index]);
      const clean = await judge(() => model(images), truth);
      checkLosses(task, network, clean.losses);
      const adversarial = await attacks.validation.perturb(model, images, labels, {
        key: keys.validation,
        samples: Array.from(batch),
      });
      const robust = await judge(() => model(adversarial), truth).finally(() => adversarial.dispose());
      for (let i = 0; i < batch.length; i++) {
        sums.loss += clean.losses[i];
        sums.robustLoss += robust.losses[i];
        sums.clean += clean.right[i] ? 1 : 0;
        sums.robust += clean.right[i] && robust.right[i] ? 1 : 0;
      }
    } finally {
      tf.dispose([images, labels]);
    }
    done += batch.length;
    onImages?.(done);
    await yieldToEvents();
    throwIfAborted(signal);
  }
  const mean = (sum: number) => sum / indices.length;
  return {
    loss: mean(sums.loss),
    robustLoss: mean(sums.robustLoss),
    cleanAccuracy: mean(sums.clean),
    robustAccuracy: mean(sums.robust),
  };
}

/** The cross-entropy of each image and whether it is classified right. */
async function judge(
  logits: () => Tensor2D,
  labels: Int32Array,
): Promise<{ losses: Float32Array; right: readonly boolean[] }> {
  const [logProbabilities, predictions] = tf.tidy(() => {
    const output = logits();
    return [tf.logSoftmax(output), tf.argMax(output, -1)];
  });
  const [values, classes] = await Promise.all([logProbabilities.data(), predictions.data()]);
  const width = logProbabilities.shape[1] as number;
  tf.dispose([logProbabilities, predictions]);
  return {
    losses: Float32Array.from(labels, (label, i) => -values[i * width + label]),
    right: Array.from(labels, (label, i) => classes[i] === label),
  };
}
