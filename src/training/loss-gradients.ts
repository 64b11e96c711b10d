// The loss of a batch and its gradients over all weights.
import type { Scalar, Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { disposeTensors, isSparse, type Params, type Tensors, trainables } from '../core/params.ts';
import type { Weights } from '../models/types.ts';
import type { Objective, ObjectiveBatch } from '../objectives/types.ts';
import { atPerturbedWeights } from '../objectives/weight-perturbation.ts';
import { type Program, runNetwork } from '../ops/network.ts';

/** The loss of a batch, its gradients, and the batch-norm statistics after it; all owned by the caller. */
export interface LossGradients {
  readonly loss: Scalar;
  /** Gradients by parameter; those of a sparse kernel are at its nonzeros. */
  readonly gradients: Tensors;
  /** Dense gradients by probed kernel. */
  readonly denseGradients: Tensors;
  readonly state: Tensors;
  /** Images passed through the network, more than the batch where the objective runs it twice. */
  readonly images: number;
}

/** The network in training mode, each run moving the statistics on from those of the run before. */
function trainingForward(program: Program, { params, state }: Weights, probes: Tensors) {
  let current = state;
  let passed = 0;
  return {
    forward: (images: Tensor4D): Tensor2D => {
      passed += images.shape[0];
      const result = runNetwork(program, params, current, images, { training: true, probes });
      for (const tensor of Object.values(result.state)) tf.keep(tensor);
      if (current !== state) disposeTensors(current);
      current = result.state;
      return result.logits;
    },
    /** The batch-norm statistics after the batch, owned by the caller. */
    state: () => current,
    images: () => passed,
  };
}

/**
 * The loss of the objective, and ∇ over the parameters, with batch statistics. Under weight perturbation the loss is that
 * at the weights, gradients and statistics are those at the perturbed ones.
 *
 * @param weights borrowed
 * @param probes all-zero dense kernels whose gradients are wanted
 */
export function lossGradients(
  program: Program,
  objective: Objective,
  weights: Weights,
  batch: ObjectiveBatch,
  probes: Tensors = {},
): LossGradients {
  const { weightPerturbation: gamma = 0 } = objective;
  if (gamma === 0) return gradientsAt(program, objective, weights, batch, probes);
  const here = gradientsAt(program, objective, weights, batch, {});
  const there = atPerturbedWeights(weights.params, here.gradients, gamma, (params) =>
    gradientsAt(program, objective, { ...weights, params }, batch, probes),
  );
  disposeTensors(here.gradients);
  disposeTensors(here.state);
  there.loss.dispose();
  return { ...there, loss: here.loss, images: here.images + there.images };
}

function gradientsAt(
  program: Program,
  objective: Objective,
  weights: Weights,
  batch: ObjectiveBatch,
  probes: Tensors,
): LossGradients {
  const { forward, state, images } = trainingForward(program, weights, probes);
  const parameters = trainables(weights.params);
  const parameterNames = Object.keys(parameters);
  const probeNames = Object.keys(probes);
  const { value, grads } = tf
    .engine()
    .gradients(
      () => objective.loss(forward, batch),
      [...Object.values(parameters), ...Object.values(probes)],
      undefined,
      true,
    );
  const gradient = (index: number, of: Tensor): Tensor => grads[index] ?? tf.zerosLike(of);
  return {
    loss: value,
    gradients: Object.fromEntries(parameterNames.map((name, i) => [name, gradient(i, parameters[name])])),
    denseGradients: Object.fromEntries(
      probeNames.map((name, i) => [name, gradient(parameterNames.length + i, probes[name])]),
    ),
    state: state(),
    images: images(),
  };
}

/** The loss of a batch with batch statistics, owned by the caller, and the images passed through the network. */
export function lossOf(
  program: Program,
  objective: Objective,
  weights: Weights,
  batch: ObjectiveBatch,
): { loss: Scalar; images: number } {
  const { forward, state, images } = trainingForward(program, weights, {});
  const loss = tf.tidy(() => objective.loss(forward, batch));
  if (state() !== weights.state) disposeTensors(state());
  return { loss, images: images() };
}

/** All-zero dense kernels for every sparse one, owned by the caller. */
export const probesFor = (params: Params): Tensors =>
  Object.fromEntries(
    Object.entries(params).flatMap(([name, param]) =>
      isSparse(param) ? [[name, tf.zeros([...param.structure.shape])]] : [],
    ),
  );
