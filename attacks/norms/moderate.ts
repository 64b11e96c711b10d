// Powers of two that keep squares and sums inside the range of float32. They change no digit.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

/** Numbers between 1 / LARGE and LARGE stay as they are: their squares, and sums of these, are ordinary float32 numbers. */
const LARGE = 2 ** 40;

/** Brings the largest numbers of float32 down to LARGE, and its smallest up to 1 / LARGE. */
const FACTOR = 2 ** 80;

/** The power of two by which numbers of these magnitudes, 0 or more, become neither too large nor too small to square. */
export const moderation = <T extends Tensor>(magnitudes: T): T =>
  tf.where(
    tf.greater(magnitudes, LARGE),
    1 / FACTOR,
    tf.where(tf.less(magnitudes, 1 / LARGE), FACTOR, tf.onesLike(magnitudes)),
  ) as T;

/** The power of two for each sample of [batch, …], by its largest magnitude: [batch, 1, …]. */
export const moderationOf = (samples: Tensor): Tensor => {
  const axes = samples.shape.slice(1).map((_, i) => i + 1);
  return moderation(tf.maximum(tf.max(samples, axes, true), tf.neg(tf.min(samples, axes, true))));
};

/** A divisor that leaves 0 / 0 at 0: the lengths, 1 in the place of 0. */
export const orOne = <T extends Tensor>(lengths: T): T =>
  tf.where(tf.greater(lengths, 0), lengths, tf.onesLike(lengths)) as T;
