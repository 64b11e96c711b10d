// Adversarial weight perturbation: takes gradients at weights that are moved against the loss.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { disposeParams, isKernel, type Params, type Tensors, trainables, withTrainables } from '../core/params.ts';

/** Keeps a gradient of 0 from dividing by 0; the value of the authors' code. */
const SMALLEST_NORM = 1e-20;

/**
 * Weights moved adversarially, kernel by kernel, to where the loss is higher: w + γ · ‖w‖ · g / ‖g‖, one step of ascent
 * (Wu et al. 2020, https://arxiv.org/abs/2004.05884). Of a sparse kernel the nonzeros move; biases and batch norm stay.
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
        const g = gradients[name];
        const scale = tf.div(tf.mul(tf.norm(w), gamma), tf.add(tf.norm(g), SMALLEST_NORM));
        return tf.add(w, tf.mul(g, scale));
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
