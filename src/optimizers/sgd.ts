// Stochastic gradient descent with momentum and weight decay.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import {
  cloneTensors,
  isKernel,
  type Params,
  type Tensors,
  trainables,
  withTrainables,
  zerosLike,
} from '../core/params.ts';
import { weightedSum } from '../ops/weighted-sum.ts';
import { chain, stateless } from './chain.ts';
import type { GradientTransformation, OptimizerState } from './types.ts';

/** What a step of gradient descent is given. */
export interface LearningRate {
  readonly learningRate: number;
}

/** True if decay shrinks all parameters, or kernels only: no biases and no batch norm. */
export type DecayScope = 'all' | 'kernels';

export interface WeightDecayOptions {
  /** λ ≥ 0 */
  readonly weightDecay: number;
  readonly scope?: DecayScope;
}

/** g ← g + λ·w. Before `trace` it is L2 regularisation (coupled), after it decoupled weight decay. */
export const addDecayedWeights = ({
  weightDecay,
  scope = 'all',
}: WeightDecayOptions): GradientTransformation<unknown> => {
  if (!(weightDecay >= 0)) throw new InputError(`weightDecay must be 0 or larger, got ${weightDecay}.`);
  const decays = (name: string): boolean => weightDecay !== 0 && (scope === 'all' || isKernel(name));
  return stateless((grads, params) => {
    const decaying = Object.fromEntries(Object.entries(grads).filter(([name]) => decays(name)));
    const decayed: Tensors = weightedSum([1, decaying], [weightDecay, params]);
    return Object.fromEntries(Object.entries(grads).map(([name, g]) => [name, decayed[name] ?? tf.clone(g)]));
  });
};

export interface TraceOptions {
  /** μ in [0, 1) */
  readonly decay: number;
  readonly nesterov?: boolean;
}

/**
 * Momentum: v ← μ·v + g from v = 0, and the update is v, or g + μ·v (Nesterov), as PyTorch's SGD has it. Of a sparse
 * kernel only the nonzeros have momentum.
 */
export const trace = ({ decay, nesterov = false }: TraceOptions): GradientTransformation<unknown> => {
  if (!(decay >= 0 && decay < 1)) throw new InputError(`The decay of momentum must be in [0, 1), got ${decay}.`);
  return {
    init: (params) => ({ trace: zerosLike(params) }),
    update: (grads, state) =>
      tf.tidy(() => {
        const moved = weightedSum([decay, state.trace], [1, grads]);
        const updates = nesterov ? weightedSum([1, grads], [decay, moved]) : cloneTensors(moved);
        return { updates, state: { trace: moved } };
      }),
  };
};

/** update ← −lr·g */
export const scaleByLearningRate = (): GradientTransformation<LearningRate> =>
  stateless((grads, _params, { learningRate }) => weightedSum([-learningRate, grads]));

/** Options of stochastic gradient descent. */
export interface SgdOptions extends WeightDecayOptions {
  /** μ in [0, 1) */
  readonly momentum: number;
  readonly nesterov?: boolean;
  /** `coupled` (default): λ·w joins the gradient, as in PyTorch's SGD. `decoupled`: w ← w − lr·λ·w beside the step. */
  readonly decay?: 'coupled' | 'decoupled';
}

/** Stochastic gradient descent with momentum and weight decay; state in the slot `trace`. */
export const sgd = ({
  momentum,
  nesterov,
  weightDecay,
  decay = 'coupled',
  scope,
}: SgdOptions): GradientTransformation<LearningRate> => {
  const decayed = addDecayedWeights({ weightDecay, scope });
  const traced = trace({ decay: momentum, nesterov });
  return decay === 'coupled'
    ? chain<LearningRate>(decayed, traced, scaleByLearningRate())
    : chain<LearningRate>(traced, decayed, scaleByLearningRate());
};

/** Parameters moved by `updates`, on the same structures; owned by the caller. */
export const applyUpdates = (params: Params, updates: Tensors): Params =>
  withTrainables(params, weightedSum([1, trainables(params)], [1, updates]));

/** Frees every slot of an optimizer's state. */
export const disposeState = (state: OptimizerState): void =>
  tf.dispose(state as Record<string, Record<string, tf.Tensor>>);
