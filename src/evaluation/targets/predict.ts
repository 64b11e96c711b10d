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

/** The class of the largest logit of each image, the first of several; −1 where a logit is not a number. */
export async function predict(model: Classifier, images: Tensor4D): Promise<Int32Array> {
  const logits = await logitsOf(model, images);
  const classes = logits.length / images.shape[0];
  return Int32Array.from(predictionsOf(logits, classes));
}
