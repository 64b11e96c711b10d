// AGENT's pass over batches before the updates of an epoch, whatever a batch is and however losses and gradients are computed.
import type { Scalar } from '@tensorflow/tfjs-core';
import { disposeTensors, type Tensors } from '../core/params.ts';
import { weightedSum } from '../ops/weighted-sum.ts';
import { type Estimate, estimateCoefficient } from './coefficients.ts';

/** The loss of a batch and its gradients by parameter. */
export interface LossAndGradients {
  readonly loss: Scalar;
  readonly gradients: Tensors;
}

/** What a pre-pass computes its results of. */
export interface PassOptions<Batch> {
  /** L(θ; b) and ∇L(θ; b) with the weights about to be trained; taken over. */
  gradients(batch: Batch): LossAndGradients | Promise<LossAndGradients>;
  /** L(θ̃; b) with the snapshot of the epoch before; taken over. Without it no coefficient is estimated. */
  lossBefore?: (batch: Batch) => Scalar | Promise<Scalar>;
  /** Sees the gradients of each batch, which are borrowed. */
  onGradients?: (gradients: Tensors) => void | Promise<void>;
}

/** What a pre-pass found over the batches of an epoch. */
export interface PassResult {
  /** u, the mean of ∇L(θ; b); owned by the caller. Empty if there are no batches. */
  readonly meanGradient: Tensors;
  /** ĉ = Cov(L(θ), L(θ̃)) / Var(L(θ̃)), or why there is none; null without `lossBefore`. */
  readonly estimate: Estimate | null;
}

/**
 * AGENT's pre-pass (Lei et al. 2023, https://arxiv.org/abs/2301.03573): u and ĉ over the batches of the coming epoch. Afterwards
 * the caller takes the weights as the new snapshot, blends ĉ into c (`blendCoefficient`), and corrects each step
 * (`correctGradient`).
 *
 * @param batches each is used once and is not disposed
 */
export async function agentPrepass<Batch>(
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  { gradients, lossBefore, onGradients }: PassOptions<Batch>,
): Promise<PassResult> {
  const lossesNow: number[] = [];
  const lossesBefore: number[] = [];
  let sum: Tensors | null = null;
  try {
    for await (const batch of batches) {
      const result = await gradients(batch);
      sum = accumulate(sum, result.gradients);
      lossesNow.push(await take(result.loss));
      await onGradients?.(result.gradients);
      if (lossBefore) lossesBefore.push(await take(await lossBefore(batch)));
      if (sum !== result.gradients) disposeTensors(result.gradients);
    }
    return {
      meanGradient: sum ? weightedSum([1 / lossesNow.length, sum]) : {},
      estimate: lossBefore ? estimateCoefficient(lossesNow, lossesBefore) : null,
    };
  } finally {
    if (sum) disposeTensors(sum);
  }
}

/** sum + gradients; the sum is taken over. The first gradients are the sum themselves. */
function accumulate(sum: Tensors | null, gradients: Tensors): Tensors {
  if (sum === null) return gradients;
  const added = weightedSum([1, sum], [1, gradients]);
  disposeTensors(sum);
  return added;
}

async function take(scalar: Scalar): Promise<number> {
  const [value] = await scalar.data();
  scalar.dispose();
  return value;
}
