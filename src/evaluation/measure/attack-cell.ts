// One attack at one radius on one batch of images, and what the alarms want to know of its examples.

import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { NO_COST } from '../../../attacks/loops/costs.ts';
import { type UnderAttackOptions, underAttack } from '../../../attacks/measure/under-attack.ts';
import type { Classifier, NormName } from '../../../attacks/types.ts';
import { batchLabels } from '../../data/batch.ts';
import { predict } from '../targets/predict.ts';
import { NOTHING_SEEN } from './state.ts';
import type { Attacked, BatchExamples, Cell, EvaluatedSplit } from './types.ts';
import { isWithin } from './within.ts';

/** A batch to attack. */
export interface Batch extends Pick<UnderAttackOptions, 'signal' | 'onProgress'> {
  readonly test: EvaluatedSplit['test'];
  /** Places among the evaluated images. */
  readonly batch: Int32Array;
  readonly samples: readonly number[];
  readonly first: boolean;
}

/** Attacks one batch; examples are borrowed by `onExamples`. */
export async function attackCell(
  model: Classifier,
  { attack, epsilon, key }: Cell,
  images: Tensor4D,
  { test, batch, samples, first, signal, onProgress }: Batch,
  onExamples: (made: Pick<BatchExamples, 'adversarial' | 'survived'>) => Promise<void> | undefined,
): Promise<Attacked> {
  if (attack === null) {
    return { survived: Array.from(batch, () => true), standing: {}, cost: NO_COST, seen: NOTHING_SEEN };
  }
  const labels = batchLabels(test, samples);
  try {
    const made = await underAttack(model, attack, images, labels, { key, samples, signal, onProgress });
    const { adversarial, survived, standing = {}, nonFiniteGradients: nonFinite, withinNoise, notNumbers } = made;
    try {
      await onExamples({ adversarial, survived });
      const outside = await countOutside(images, adversarial, attack.norm, epsilon);
      const fooled = [...survived.keys()].filter((i) => !survived[i]);
      const seen = { ...NOTHING_SEEN, outside, nonFinite, withinNoise, notNumbers };
      if (!first || fooled.length === 0) return { survived, standing, cost: made.cost, seen };
      const unstable = await countUnstable(model, adversarial, fooled, (i) => test.labels[samples[i]]);
      return { survived, standing, cost: made.cost, seen: { ...seen, successes: fooled.length, unstable } };
    } finally {
      adversarial.dispose();
    }
  } finally {
    labels.dispose();
  }
}

/** Adversarial images further than ε from theirs, or with pixels outside [0, 1], beyond the rounding of float32. */
async function countOutside(images: Tensor4D, adversarial: Tensor4D, norm: NormName, epsilon: number): Promise<number> {
  const [clean, attacked] = [await images.data(), await adversarial.data()];
  const pixels = clean.length / images.shape[0];
  let outside = 0;
  for (let begin = 0; begin < clean.length; begin += pixels) {
    const [image, example] = [clean, attacked].map((all) => all.subarray(begin, begin + pixels) as Float32Array);
    if (!isWithin(example, image, norm, epsilon)) outside++;
  }
  return outside;
}

/** How many of the adversarial images at `fooled` are classified right after all, in reverse order and another batch. */
async function countUnstable(
  model: Classifier,
  adversarial: Tensor4D,
  fooled: readonly number[],
  label: (index: number) => number,
): Promise<number> {
  const order = fooled.toReversed();
  const again = tf.gather(adversarial, order);
  const predictions = await predict(model, again).finally(() => again.dispose());
  return order.filter((j, i) => predictions[i] === label(j)).length;
}
