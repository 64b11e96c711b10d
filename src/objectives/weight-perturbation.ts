// Adversarial weight perturbation: takes gradients at weights that are moved against the loss.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { l2 } from '../../attacks/norms/index.ts';
import { InputError } from '../core/errors.ts';
import { disposeParams, isKernel, type Params, type Tensors, trainables, withTrainables } from '../core/params.ts';

/** The numbers of a tensor as one sample of the l2 norm, which squares no number that is too large or too small. */
const asSample = (x: tf.Tensor): Tensor4D => tf.reshape(x, [1, -1, 1, 1]);

/**
 * Weights moved adversarially, kernel by kernel, to where the loss is higher: w + γ · ‖w‖ · g / ‖g‖, one step of ascent
 * (Wu et al. 2020, https://arxiv.org/abs/2004.05884); a gradient of 0 moves nothing. Of a sparse kernel the nonzeros move;
 * biases and batch norm stay. The scale of the gradient does not matter.
 *
 * @param gradients of the loss at `params`; borrowed
 * @param gamma γ ≥ 0, 0.01 in the paper
 * @returns parameters on the same structures, owned by the caller
 */
export function perturbWeights(params: Params, gradients: Tensors, gamma: number): Params {
  if (!(gamma >= 0))
    throw new InputError(`gamma of the weight perturbation must be 0 or larger, usually 0.01, got ${gamma}.`);
  const moved = Object.entries(trainables(params)).map(([name, w]): [string, tf.Tensor] => {
    if (!isKernel(name)) return [name, tf.clone(w)];
    return [
      name,
      tf.tidy(() => {
        const direction = tf.reshape(l2.steepest(asSample(gradients[name])), w.shape);
        return tf.add(w, tf.mul(direction, tf.mul(l2.length(asSample(w)), gamma)));
      }),
    ];
  });
  return withTrainables(params, Object.fromEntries(moved));
}

/**
 * Adversarial weight perturbation around any computation: `compute` sees the perturbed weights, and `params` are as they
 * were. So a step is taken at the weights themselves, by the gradient at the perturbed ones.
 */
export function atPerturbedWeights<Result>(
  params: Params,
  gradients: Tensors,
  gamma: number,
  compute: (perturbed: Params) => Result,
): Result {
  const perturbed = perturbWeights(params, gradients, gamma);
  try {
    return compute(perturbed);
  } finally {
    disposeParams(perturbed);
  }
}
