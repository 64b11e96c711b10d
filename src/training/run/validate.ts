// Measures clean and robust accuracy during training, on held-out and on training images.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../../../attacks/types.ts';
import { yieldToEvents } from '../../core/yield-to-events.ts';
import { batchesOf, batchImages, batchLabels } from '../../data/batch.ts';
import { balanced, type TrainingIndices } from '../../data/split.ts';
import type { Split } from '../../data/types.ts';
import { attackedModel } from '../adversary/training-batches.ts';
import { throwIfAborted } from '../errors.ts';
import type { TrainedNetwork } from '../state.ts';
import type { Task } from '../task.ts';
import { checkLosses } from './divergence.ts';

/** Clean and robust accuracy on images of the training split. An image is robust if it is right clean and under PGD-10. */
export interface Measured {
  readonly loss: number;
  readonly robustLoss: number;
  readonly cleanAccuracy: number;
  readonly robustAccuracy: number;
}

/** How many training images accuracy is measured on, as long as there are as many; the guard against collapse has the most. */
const MEASURED_IMAGES = { least: 64, most: 256 };

/** What decides which training images are measured. */
interface Measurable {
  readonly config: Pick<Task['config'], 'guard'>;
  readonly dataset: { readonly train: Pick<Split, 'labels'> };
  readonly indices: TrainingIndices;
}

/**
 * The training images on which accuracy is measured: always the same, as many of each class. Without the guard there are as many
 * as held-out images within 64 to 256, so that measuring takes the same share of a short training as of a long one.
 */
export function measuredImages({ config, dataset, indices }: Measurable): Int32Array {
  const { least, most } = MEASURED_IMAGES;
  const count = config.guard ? most : Math.min(most, Math.max(least, indices.validation.length));
  return balanced(dataset.train.labels, indices.train, count);
}

/** Images at a time; larger than a training batch, as nothing is kept for a weight gradient. */
const BATCH_SIZE = 256;

interface MeasureOptions {
  readonly signal?: AbortSignal;
  readonly onImages?: (done: number) => void | Promise<void>;
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
  const { train, imageShape } = dataset;
  const model = attackedModel(program, { params, state: statistics }, 'evaluate');
  const sums = { loss: 0, robustLoss: 0, clean: 0, robust: 0 };
  let done = 0;
  for (const batch of batchesOf(indices, BATCH_SIZE)) {
    const clean = await judgeClean(batch);
    checkLosses(task, network, clean.losses);
    // Images that are misclassified already are not attacked.
    const robust = await judgeAttacked(batch.filter((_, i) => clean.right[i]));
    let attacked = 0;
    for (const [i, right] of clean.right.entries()) {
      sums.loss += clean.losses[i];
      sums.robustLoss += right ? robust.losses[attacked] : clean.losses[i];
      sums.clean += right ? 1 : 0;
      sums.robust += right && robust.right[attacked] ? 1 : 0;
      if (right) attacked++;
    }
    done += batch.length;
    await onImages?.(done);
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

  async function judgeClean(numbers: Int32Array): Promise<Judged> {
    const images = batchImages(train, numbers, imageShape);
    try {
      return await lossesOf(model, images, classesOf(numbers));
    } finally {
      images.dispose();
    }
  }

  async function judgeAttacked(numbers: Int32Array): Promise<Judged> {
    if (numbers.length === 0) return { losses: new Float32Array(0), right: [] };
    const images = batchImages(train, numbers, imageShape);
    const labels = batchLabels(train, numbers);
    let adversarial: Tensor4D | undefined;
    try {
      const samples = Array.from(numbers);
      adversarial = await attacks.validation.perturb(model, images, labels, { key: keys.validation, samples });
      return await lossesOf(model, adversarial, classesOf(numbers));
    } finally {
      tf.dispose([images, labels, adversarial ?? []]);
    }
  }

  function classesOf(numbers: Int32Array): Int32Array {
    return numbers.map((number) => train.labels[number]);
  }
}

/** The cross-entropy of each image, and whether it is classified right. */
interface Judged {
  readonly losses: Float32Array;
  readonly right: readonly boolean[];
}

/** Classifies images, with the losses that metrics.csv has. */
async function lossesOf(model: Classifier, images: Tensor4D, labels: Int32Array): Promise<Judged> {
  const [logProbabilities, predictions] = tf.tidy(() => {
    const logits = model(images);
    return [tf.logSoftmax(logits), tf.argMax(logits, -1)];
  });
  const [values, classes] = await Promise.all([logProbabilities.data(), predictions.data()]);
  const width = logProbabilities.shape[1] as number;
  tf.dispose([logProbabilities, predictions]);
  return {
    losses: Float32Array.from(labels, (label, i) => -values[i * width + label]),
    right: Array.from(labels, (label, i) => classes[i] === label),
  };
}
