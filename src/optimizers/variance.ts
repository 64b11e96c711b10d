// The variance of a gradient over batches, with and without a correction.
import * as tf from '@tensorflow/tfjs-core';
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
  const total = tf.tidy(() => {
    const deviations = Object.keys(gradients[0]).map((name) => {
      const batches = gradients.map((gradient) => gradient[name]);
      const mean = tf.div(tf.addN(batches), n);
      return tf.addN(batches.map((batch) => tf.sum(tf.square(tf.sub(batch, mean)))));
    });
    return tf.div(tf.addN(deviations), n - 1);
  });
  const [variance] = await total.data();
  total.dispose();
  return variance;
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
