// AGENT's correction of a gradient, and SGD on corrected gradients.
import type { Tensor } from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { cloneTensors, type Tensors } from '../core/params.ts';
import { type IndexMaps, weightedSum } from '../ops/weighted-sum.ts';
import { chain, stateless } from './chain.ts';
import { type LearningRate, type SgdOptions, sgd } from './sgd.ts';
import type { GradientTransformation } from './types.ts';

/** What corrects the gradient of one step. */
export interface Correction {
  /** g̃ = ∇L(θ̃) on the step's own batch */
  readonly snapshotGradient: Tensors;
  /** u, the mean of ∇L(θ̃) over the batches of the pre-pass */
  readonly snapshotMean: Tensors;
  /** The factor on u − g̃, γ·c for AGENT: one for all parameters, or one for each by name. */
  readonly coefficient: number | Readonly<Record<string, number>>;
  /** Maps from the snapshot's structures onto those of the gradient (`carryMaps`); left out if both are the same. */
  readonly maps?: IndexMaps;
}

/** What `agent` takes beside the gradient. */
export interface Corrected {
  /** null leaves the gradient as it is. */
  readonly correction: Correction | null;
}

/**
 * g + γc·(u − g̃); owned by the caller. Weights that the snapshot did not have keep their plain gradient.
 *
 * @throws InputError for a coefficient that is not finite or is missing
 */
export function correctGradient(
  grads: Tensors,
  { snapshotGradient, snapshotMean, coefficient, maps }: Correction,
): Record<string, Tensor> {
  const corrected = (some: Tensors, factor: number) =>
    weightedSum([1, some], [factor, snapshotMean, maps], [-factor, snapshotGradient, maps]);
  if (typeof coefficient === 'number') return corrected(grads, finite('coefficient', coefficient));
  const factorOf = (name: string) => finite(`coefficient of ${name}`, coefficient[name]);
  return Object.assign({}, ...Object.entries(grads).map(([name, g]) => corrected({ [name]: g }, factorOf(name))));
}

function finite(name: string, value: number | undefined): number {
  if (value !== undefined && Number.isFinite(value)) return value;
  throw new InputError(`${name}: expected a finite number, got ${value ?? 'nothing'}.`);
}

/**
 * AGENT's correction, g ← g + γc·(u − g̃), the first of a chain: momentum and weight decay act on the corrected
 * gradient (Lei et al. 2023, https://arxiv.org/abs/2301.03573). With γc = 1 it is SVRG's.
 */
export const agentCorrection = (): GradientTransformation<Corrected> =>
  stateless((grads, _params, { correction }) =>
    correction === null || correction.coefficient === 0 ? cloneTensors(grads) : correctGradient(grads, correction),
  );

/** SGD on corrected gradients; without a correction it is `sgd`, step for step. */
export const agent = (options: SgdOptions): GradientTransformation<LearningRate & Corrected> =>
  chain<LearningRate & Corrected>(agentCorrection(), sgd(options));
