// The logits and predictions of a model on many images.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { predictionsOf } from '../../../attacks/loops/predictions.ts';
import type { Classifier } from '../../../attacks/types.ts';

/** The logits of images, [batch, classes] row-major. */
export async function logitsOf(model: Classifier, images: Tensor4D): Promise<Float32Array> {
  const logits = tf.tidy(() => model(images));
  try {
    return Float32Array.from(await logits.data());
  } finally {
    logits.dispose();
  }
}

/** What a model says of images. */
export interface Predicted {
  /** The class of each; −1 where a logit is not a number. */
  readonly classes: Int32Array;
  /** The probabilities of all classes for each, by softmax. */
  readonly probabilities: readonly Float32Array[];
}

/** The classes that a model gives images, and how sure it is. */
export async function predictProbabilities(model: Classifier, images: Tensor4D): Promise<Predicted> {
  const logits = await logitsOf(model, images);
  const [count] = images.shape;
  const size = logits.length / count;
  return {
    classes: Int32Array.from(predictionsOf(logits, size)),
    probabilities: Array.from({ length: count }, (_, i) => softmax(logits.subarray(i * size, (i + 1) * size))),
  };
}

/** Probabilities of logits: exp(z_k − max z) / Σ exp(z_j − max z). */
function softmax(logits: Float32Array): Float32Array {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => (logit === largest ? 1 : Math.exp(logit - largest)));
  const sum = powers.reduce((total, power) => total + power, 0);
  return Float32Array.from(powers, (power) => power / sum);
}

/** Warns of predictions that count as wrong since an output was NaN, if there are any. */
export function warnOfNotNumbers(
  count: number,
  total: number,
  what: string,
  warn: ((message: string) => void) | undefined,
): void {
  if (count === 0) return;
  warn?.(
    `The outputs for ${count} of ${total} ${what} are NaN; these count as wrong. See docs/alarms.md#outputs-that-are-not-numbers`,
  );
}

/** The class of the largest logit of each image, the first of several; −1 where a logit is not a number. */
export async function predict(model: Classifier, images: Tensor4D): Promise<Int32Array> {
  const logits = await logitsOf(model, images);
  const classes = logits.length / images.shape[0];
  return Int32Array.from(predictionsOf(logits, classes));
}
