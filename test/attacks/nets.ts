// Networks that the tests of attacks share.
import type { Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type AttackName, attackRows } from '../../attacks/attacks.ts';
import type { Classifier } from '../../attacks/types.ts';
import { foldIn, normal, seedKey, uniform } from '../../src/core/key.ts';
import { golden, toTensor } from '../golden.ts';

/** The small trained convnet of golden/attack-net with its first images and labels; the caller frees them. */
export function goldenNet(count: number) {
  const { tensors } = golden('attack-net');
  const weights = Object.fromEntries(
    ['conv1', 'conv2', 'dense'].flatMap((layer) =>
      ['kernel', 'bias'].map((part) => [`${layer}.${part}`, toTensor(tensors[`${layer}.${part}`])]),
    ),
  );
  const block = (x: Tensor4D, layer: string): Tensor4D => {
    const y = tf.add(tf.conv2d(x, weights[`${layer}.kernel`] as Tensor4D, 1, 'same'), weights[`${layer}.bias`]);
    return tf.maxPool(tf.relu(y) as Tensor4D, 2, 2, 'valid');
  };
  const classifier: Classifier = (images) =>
    tf.add(
      tf.matMul(
        tf.reshape(block(block(images, 'conv1'), 'conv2'), [-1, 2048]) as Tensor2D,
        weights['dense.kernel'] as Tensor2D,
      ),
      weights['dense.bias'],
    );
  const first = (name: string) => tf.tidy(() => tf.slice(toTensor(tensors[name]), 0, count));
  return {
    classifier,
    images: tf.tidy(() => tf.div(first('images'), 255)) as Tensor4D,
    labels: first('labels') as Tensor1D,
    tensors,
    dispose() {
      for (const tensor of [...Object.values(weights), this.images, this.labels]) tensor.dispose();
    },
  };
}

/** A smooth net of one hidden layer on 3 × 3 × 2 images, and images with the labels that it gives them. */
export function smoothNet(classes: number, count: number, seed = 0) {
  const key = seedKey(seed);
  const scaled = (name: string, length: number, scale: number) =>
    normal(foldIn(key, name), length).map((x) => x * scale);
  const hidden = tf.tensor2d(scaled('hidden', 18 * 8, 0.8), [18, 8]);
  const output = tf.tensor2d(scaled('output', 8 * classes, 1.2), [8, classes]);
  const classifier: Classifier = (images) =>
    tf.matMul(tf.tanh(tf.matMul(tf.reshape(tf.sub(images, 0.5), [-1, 18]) as Tensor2D, hidden)) as Tensor2D, output);
  const images = tf.tensor4d(uniform(key, count * 18), [count, 3, 3, 2]);
  const labels = tf.tidy(() => tf.argMax(classifier(images), 1) as Tensor1D);
  return {
    classifier,
    images,
    labels,
    dispose: () => tf.dispose([hidden, output, images, labels]),
  };
}

/** The error that a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('The promise was fulfilled.');
}

/** The options of an attack's length that the attack has. */
export function lengthOf(name: AttackName, { steps, queries }: { readonly steps: number; readonly queries: number }) {
  const { options } = attackRows[name];
  return { ...('steps' in options && { steps }), ...('queries' in options && { queries }) };
}
