// What PyTorch says of a network that scripts/onnx_reference.py wrote, and how far ours is from it.
import { readFileSync } from 'node:fs';
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../../attacks/types.ts';

export interface OnnxReference {
  readonly torch: string;
  readonly exporter: 'dynamo' | 'torchscript';
  readonly opset: number;
  /** [batch, height, width, channels], of the images and of the gradient. */
  readonly shape: Tensor4D['shape'];
  readonly images: readonly number[];
  readonly logits: readonly number[];
  /** The gradient of Σᵢ cos(i) · logitᵢ with respect to the images. */
  readonly gradient: readonly number[];
  /** PyTorch's own relative l2 distance between the two precisions. */
  readonly float32ToFloat64: { readonly logits: number; readonly gradient: number };
}

export const readOnnxReference = (path: string): OnnxReference => JSON.parse(readFileSync(path, 'utf8'));

/** ‖a − b‖ / ‖b‖. */
function relativeDistance(a: ArrayLike<number>, b: readonly number[]): number {
  const norm = (at: (i: number) => number): number => Math.sqrt(b.reduce((total, _, i) => total + at(i) ** 2, 0));
  return a.length === b.length ? norm((i) => a[i] - b[i]) / norm((i) => b[i]) : Number.POSITIVE_INFINITY;
}

/** Relative l2 distances of a classifier's logits and input gradient from PyTorch's. */
export function distancesFrom(reference: OnnxReference, classify: Classifier): { logits: number; gradient: number } {
  const images = tf.tensor4d([...reference.images], reference.shape);
  const logits = tf.tidy(() => classify(images));
  const weighted = (x: Tensor): Tensor => {
    const outputs = classify(x as Tensor4D);
    const weights = Float32Array.from({ length: outputs.size }, (_, i) => Math.cos(i));
    return tf.sum(tf.mul(outputs, tf.tensor(weights, outputs.shape)));
  };
  const gradient = tf.tidy(() => tf.grad(weighted)(images));
  const distances = {
    logits: relativeDistance(logits.dataSync(), reference.logits),
    gradient: relativeDistance(gradient.dataSync(), reference.gradient),
  };
  tf.dispose([images, logits, gradient]);
  return distances;
}
