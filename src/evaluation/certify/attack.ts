// The smoothed classifier under attack in l2: the upper bound that belongs beside the lower bound of its certificates.
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, type Key } from '../../core/key.ts';
import { batchesOf, batchImages, batchLabels } from '../../data/batch.ts';
import type { Dataset } from '../../data/types.ts';
import { type AttackSpec, attackLabel, buildAttack } from '../attacks/named-attacks.ts';
import type { CertifiedImage, SmoothedAttack } from './record.ts';
import type { Smoothed } from './smooth.ts';

/** The attack on smoothed classifiers unless another is named: PGD-20, each gradient the mean of 20 draws of the noise. */
export const SMOOTHED_ATTACK: AttackSpec = { kind: 'pgd', steps: 20, restarts: 1, loss: 'ce', eot: 20 };

/** Draws whose majority is the class of an image under attack. */
export const VOTES = 1000;

/** Images attacked together. */
const BATCH = 32;

/**
 * Attacks the smoothed classifier at one radius on test images: the attack differentiates the network under noise, averaged over
 * draws, and the smoothed classifier judges the result by the majority of `VOTES` draws. An image that it gets wrong without attack
 * counts as wrong.
 *
 * @param images numbers of test images and their labels
 */
export async function attackSmoothed(
  smoothed: Smoothed,
  { test, imageShape }: Pick<Dataset, 'test' | 'imageShape'>,
  images: readonly Pick<CertifiedImage, 'index'>[],
  { attack, epsilon, key, signal, onProgress }: SmoothedAttackOptions,
): Promise<SmoothedAttack> {
  const label = attackLabel(attack);
  const built = buildAttack(attack, 'l2', epsilon);
  const right: number[] = [];
  let done = 0;
  for (const batch of batchesOf(
    Int32Array.from(images, ({ index }) => index),
    BATCH,
  )) {
    const samples = [...batch];
    const clean = batchImages(test, samples, imageShape);
    const labels = batchLabels(test, samples);
    try {
      const before = await smoothed.vote(clean, { draws: VOTES, samples, signal });
      const adversarial = await built.perturb(smoothed.noisy(samples), clean, labels, {
        key: foldIn(key, label),
        samples,
        signal,
        onProgress: ({ share }) => onProgress?.((done + share * samples.length) / images.length),
      });
      const after = await smoothed
        .vote(adversarial, { draws: VOTES, samples, signal })
        .finally(() => adversarial.dispose());
      right.push(...samples.filter((index, i) => before[i] === test.labels[index] && after[i] === test.labels[index]));
    } finally {
      tf.dispose([clean, labels]);
    }
    done += samples.length;
    onProgress?.(done / images.length);
  }
  return { attack: label, epsilon, votes: VOTES, images: images.length, right: right.sort((a, b) => a - b) };
}

export interface SmoothedAttackOptions {
  readonly attack: AttackSpec;
  /** Radius in l2, in pixel units of [0, 1]. */
  readonly epsilon: number;
  readonly key: Key;
  readonly signal?: AbortSignal;
  /** Told the share of the work that is done. */
  readonly onProgress?: (share: number) => void;
}
