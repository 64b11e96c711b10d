import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../../attacks/types.ts';

/** The logits of images, [batch, classes] row-major. */
export async function logitsOf(model: Classifier, images: Tensor4D): Promise<Float32Array> {
  const logits = tf.tidy(() => model(images));
  try {
    return (await logits.data()) as Float32Array;
  } finally {
    logits.dispose();
  }
}

/** The class of the largest logit of each image; the first of several. */
export async function predict(model: Classifier, images: Tensor4D): Promise<Int32Array> {
  const classes = tf.tidy(() => tf.argMax(model(images) as Tensor2D, 1));
  try {
    return Int32Array.from(await classes.data());
  } finally {
    classes.dispose();
  }
}
