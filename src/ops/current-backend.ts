// The backend of TensorFlow.js that computes now, with the build of its kernels.
import * as tf from '@tensorflow/tfjs-core';

/**
 * The current backend as TensorFlow.js names it and, if it has several, the build of its kernels, such as
 * `equipoise relaxed`. Builds round differently, so figures have the same bits only on the same one.
 */
export function currentBackend(): string {
  const { build } = tf.backend() as { readonly build?: string };
  return build === undefined ? tf.getBackend() : `${tf.getBackend()} ${build}`;
}
