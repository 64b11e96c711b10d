// The variance of a gradient over batches, with and without a correction.
import * as tf from '@tensorflow/tfjs-core';
import { moderation } from '../../attacks/norms/moderate.ts';
import type { Tensors } from '../core/params.ts';
import type { IndexMaps } from '../ops/weighted-sum.ts';
import { type Correction, correctGradient } from './agent.ts';

/**
 * The variance of a gradient over batches, summed over all parameters: Σ_b ‖g_b − ḡ‖² / (n − 1).
 *
 * @param gradients of at least two batches at the same parameters; borrowed
 */
export async function gradientVariance(gradients: readonly Tensors[]): Promise<number> {
  const n = gradients.length;
  const squares = tf.tidy(() =>
    tf.stack(
      Object.keys(gradients[0]).map((name) => {
        const batches = gradients.map((gradient) => gradient[name]);
        const mean = tf.div(tf.addN(batches), n);
        const deviations = batches.map((batch) => tf.sub(batch, mean));
        const largest = deviations.map((deviation) => tf.max(tf.abs(deviation))).reduce((a, b) => tf.maximum(a, b));
        const factor = moderation(largest);
        const sum = tf.addN(deviations.map((deviation) => tf.sum(tf.square(tf.mul(deviation, factor)))));
        return tf.stack([sum, factor]);
      }),
    ),
  );
  const values = await squares.data<'float32'>().finally(() => squares.dispose());
  let total = 0;
  for (let i = 0; i < values.length; i += 2) total += values[i] / values[i + 1] ** 2;
  return total / (n - 1);
}

/** The gradients of one batch: of the weights being trained, and of the snapshot on its own structures. */
export interface GradientPair {
  readonly gradient: Tensors;
  readonly snapshotGradient: Tensors;
}

/**
 * The variance of the gradient without and with the correction g + γc·(u − g̃), over the same batches.
 *
 * @param pairs of at least two batches; borrowed
 * @param snapshotMean u, on the snapshot's structures; borrowed
 * @param maps from these onto those of the weights being trained; none if left out
 */
export async function compareVariance(
  pairs: readonly GradientPair[],
  snapshotMean: Tensors,
  coefficient: Correction['coefficient'],
  maps?: IndexMaps,
): Promise<{ plain: number; corrected: number }> {
  const corrected = pairs.map(({ gradient, snapshotGradient }) =>
    correctGradient(gradient, { snapshotGradient, snapshotMean, coefficient, maps }),
  );
  const result = {
    plain: await gradientVariance(pairs.map(({ gradient }) => gradient)),
    corrected: await gradientVariance(corrected),
  };
  tf.dispose(corrected);
  return result;
}
