import * as tf from '@tensorflow/tfjs-core';
import { mapTree, type Tensors } from '../core/params.ts';
import { chain, stateless } from './chain.ts';
import { type LearningRate, type SgdOptions, sgd } from './sgd.ts';
import type { GradientTransformation } from './types.ts';

/** What corrects the gradient of one step, on the structures of the parameters it moves (`carry` brings it there). */
export interface Correction {
  /** g̃ = ∇L(θ̃) on the step's own batch */
  readonly snapshotGradient: Tensors;
  /** u, the mean of ∇L(θ̃) over the batches of the pre-pass */
  readonly snapshotMean: Tensors;
  /** What multiplies u − g̃: γ·c for AGENT. */
  readonly coefficient: number;
}

export interface Corrected {
  /** null leaves the gradient as it is. */
  readonly correction: Correction | null;
}

/** g + γc·(u − g̃); owned by the caller. */
export const correctGradient = (
  grads: Tensors,
  { snapshotGradient, snapshotMean, coefficient }: Correction,
): Record<string, tf.Tensor> =>
  mapTree(
    (g: tf.Tensor, snapshot: tf.Tensor, mean: tf.Tensor) =>
      tf.tidy(() => tf.add(g, tf.mul(tf.sub(mean, snapshot), coefficient))),
    grads,
    snapshotGradient,
    snapshotMean,
  );

/**
 * AGENT's correction, g ← g + γc·(u − g̃), the first of a chain: momentum and weight decay act on the corrected
 * gradient (Lei et al. 2023, https://arxiv.org/abs/2301.03573). With γc = 1 it is SVRG's.
 */
export const agentCorrection = (): GradientTransformation<Corrected> =>
  stateless((grads, _params, { correction }) =>
    correction === null || correction.coefficient === 0
      ? mapTree((g) => tf.clone(g), grads)
      : correctGradient(grads, correction),
  );

/** SGD on corrected gradients; without a correction it is `sgd`, step for step. */
export const agent = (options: SgdOptions): GradientTransformation<LearningRate & Corrected> =>
  chain<LearningRate & Corrected>(agentCorrection(), sgd(options));
