// The name of the current backend of TensorFlow.js.
import * as tf from '@tensorflow/tfjs-core';

/**
 * What computes: the current backend and, where it has several, the build of its kernels, such as `equipoise relaxed`.
 * Builds round differently, so figures are bitwise the same only on the same one.
 */
export function backendName(): string {
  const { build } = tf.backend() as { readonly build?: string };
  return build === undefined ? tf.getBackend() : `${tf.getBackend()} ${build}`;
}
