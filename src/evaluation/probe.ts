import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, pgd } from '../../attacks/index.ts';
import type { Classifier } from '../../attacks/types.ts';
import { foldIn, type Key } from '../core/key.ts';
import type { Probe } from './alarms.ts';
import { logitsOf, predict } from './predict.ts';
import '../ops/gradients.ts';

/** A PGD that may set every pixel to anything; the margin's gradient does not vanish where the softmax saturates. */
const UNBOUNDED = { norm: 'linf', epsilon: 1, steps: 40, stepSize: 0.0625, loss: 'cw-margin' } as const;

/**
 * What the alarms need to know of a model beside its accuracies, measured on a few images.
 *
 * @param images borrowed
 * @param labels of these images, at least as many
 */
export async function probeModel(model: Classifier, images: Tensor4D, labels: Uint8Array, key: Key): Promise<Probe> {
  const count = images.shape[0];
  const classes = tf.tensor1d(Int32Array.from(labels.subarray(0, count)), 'int32');
  try {
    return {
      images: count,
      logits: await logitsOf(model, images),
      logitsAgain: await logitsOf(model, images),
      ...(await lookAtGradients(model, images, classes)),
      unbounded: await attackFreely(model, images, labels, key),
    };
  } finally {
    classes.dispose();
  }
}

async function lookAtGradients(
  model: Classifier,
  images: Tensor4D,
  labels: Tensor1D,
): Promise<Pick<Probe, 'zeroGradients' | 'nonFiniteGradients'>> {
  const largest = tf.tidy(() => {
    const loss = (x: tf.Tensor) => tf.sum(crossEntropy(model(x as Tensor4D), { kind: 'untargeted', labels }));
    return tf.max(tf.abs(tf.grad(loss)(images)), [1, 2, 3]);
  });
  const values = await largest.data();
  largest.dispose();
  return {
    zeroGradients: values.filter((value) => value === 0).length,
    nonFiniteGradients: values.filter((value) => !Number.isFinite(value)).length,
  };
}

async function attackFreely(
  model: Classifier,
  images: Tensor4D,
  labels: Uint8Array,
  key: Key,
): Promise<Probe['unbounded']> {
  const clean = await predict(model, images);
  const samples = [...clean.keys()].filter((i) => clean[i] === labels[i]);
  if (samples.length === 0) return { correct: 0, n: 0 };
  const right = tf.gather(images, samples);
  const goal = tf.tensor1d(
    samples.map((i) => labels[i]),
    'int32',
  );
  try {
    const adversarial = await pgd(UNBOUNDED).perturb(model, right, goal, { key: foldIn(key, 'unbounded'), samples });
    const predictions = await predict(model, adversarial);
    adversarial.dispose();
    return { correct: samples.filter((i, j) => predictions[j] === labels[i]).length, n: samples.length };
  } finally {
    right.dispose();
    goal.dispose();
  }
}
