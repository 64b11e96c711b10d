// What the alarms need to know of a model beside its accuracies, measured on its first images.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, lossGradient, pgd } from '../../../attacks/index.ts';
import { addCosts, NO_COST } from '../../../attacks/loops/costs.ts';
import { NoGradientError } from '../../../attacks/loops/loss-gradient.ts';
import { underAttack } from '../../../attacks/measure/under-attack.ts';
import type { Classifier, Cost } from '../../../attacks/types.ts';
import { foldIn, type Key } from '../../core/key.ts';
import { logitsOf, predict } from '../targets/predict.ts';
import type { Probe } from './alarms.ts';
import { checkGradient } from './gradient-check.ts';

/** A PGD that may set every pixel to anything; the margin's gradient does not vanish where the softmax saturates. */
const UNBOUNDED = { norm: 'linf', epsilon: 1, steps: 40, stepSize: 0.0625, loss: 'cw' } as const;

/**
 * What the alarms need to know of a model beside its accuracies, measured on a few images, and what that cost.
 *
 * @param images borrowed
 * @param labels of these images, at least as many
 * @param eot calls of the model that its attack averages for an answer
 * @param signal stops it within one call of the model
 */
export async function probeModel(
  model: Classifier,
  images: Tensor4D,
  labels: Int32Array,
  key: Key,
  eot: number,
  signal?: AbortSignal,
): Promise<{ readonly probe: Probe; readonly cost: Cost }> {
  const count = images.shape[0];
  const classes = tf.tensor1d(labels.slice(0, count), 'int32');
  try {
    const gradients = await lookAtGradients(model, images, classes);
    const { unbounded, cost } = gradients.differentiable
      ? await attackFreely(model, images, labels, key, eot, signal)
      : { unbounded: { correct: 0, n: 0 }, cost: NO_COST };
    const gradientCheck = gradients.differentiable
      ? await checkGradient(model, images, foldIn(key, 'gradient'), signal)
      : null;
    const tape = tapeLength();
    const logits = await logitsOf(model, images);
    const probe = {
      images: count,
      logits,
      differentiates: tapeLength() > tape,
      logitsAgain: await logitsOf(model, images),
      ...gradients,
      gradientCheck: gradientCheck?.found ?? null,
      unbounded,
    };
    return {
      probe,
      cost: [cost, gradientCheck?.cost ?? NO_COST].reduce(addCosts, {
        forwardPasses: 4 * count,
        inputGradients: count,
      }),
    };
  } finally {
    classes.dispose();
  }
}

/** Ops that were recorded for a gradient so far. Outside of one, a plain forward pass records none. */
const tapeLength = (): number => tf.engine().state.nextTapeNodeId;

async function lookAtGradients(
  model: Classifier,
  images: Tensor4D,
  labels: Tensor1D,
): Promise<Pick<Probe, 'differentiable' | 'zeroGradients' | 'nonFiniteGradients'>> {
  let found: ReturnType<typeof lossGradient>;
  try {
    found = lossGradient(model, crossEntropy, { kind: 'untargeted', labels }, images);
  } catch (error) {
    if (error instanceof NoGradientError) return { differentiable: false, zeroGradients: 0, nonFiniteGradients: 0 };
    throw error;
  }
  try {
    const gradient = await found.gradient.data<'float32'>();
    const [count] = images.shape;
    const size = gradient.length / count;
    const each = Array.from({ length: count }, (_, i) => gradient.subarray(i * size, (i + 1) * size));
    return {
      differentiable: true,
      zeroGradients: each.filter((slopes) => slopes.every((slope) => slope === 0)).length,
      nonFiniteGradients: each.filter((slopes) => !slopes.every(Number.isFinite)).length,
    };
  } finally {
    tf.dispose(Object.values(found));
  }
}

async function attackFreely(
  model: Classifier,
  images: Tensor4D,
  labels: Int32Array,
  key: Key,
  eot: number,
  signal?: AbortSignal,
): Promise<Pick<Probe, 'unbounded'> & { readonly cost: Cost }> {
  const clean = await predict(model, images);
  const samples = [...clean.keys()].filter((i) => clean[i] === labels[i]);
  if (samples.length === 0) {
    return { unbounded: { correct: 0, n: 0 }, cost: NO_COST };
  }
  const right = tf.gather(images, samples);
  const goal = tf.tensor1d(
    samples.map((i) => labels[i]),
    'int32',
  );
  try {
    const options = { key: foldIn(key, 'unbounded'), samples, signal };
    const { adversarial, survived, cost } = await underAttack(model, pgd({ ...UNBOUNDED, eot }), right, goal, options);
    adversarial.dispose();
    return { unbounded: { correct: survived.filter(Boolean).length, n: samples.length }, cost };
  } finally {
    right.dispose();
    goal.dispose();
  }
}
