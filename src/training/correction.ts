import * as tf from '@tensorflow/tfjs-core';
import { disposeTensors, mapTree, type Tensors, trainables } from '../core/params.ts';
import { flops as flopsOf } from '../models/inspect.ts';
import type { Correction } from '../optimizers/agent.ts';
import { carryMaps } from '../optimizers/carry.ts';
import { AGENT_DEFAULTS } from '../optimizers/coefficients.ts';
import type { TrainingBatch } from './batches.ts';
import { type Costs, gradientCosts, NO_COSTS } from './costs.ts';
import type { StoredGradients } from './gradient-store.ts';
import { lossGradients } from './loss-gradients.ts';
import type { TrainState } from './state.ts';
import type { Task } from './task.ts';

/** What multiplies u − g̃ in the step to come. */
export const coefficientOf = ({ rule, config, totalSteps }: Task, { c, step }: TrainState): number =>
  rule.coefficient({ c, gamma: config.agentGamma ?? AGENT_DEFAULTS.gamma, progress: step / totalSteps });

/** The largest |ĉ| that is nothing to warn of; it is 1 where the network is its snapshot. */
const USUAL_ESTIMATE = 2;

/** What there is to say of ĉ, which nothing bounds, and the c that it led to; null where both are as usual. */
export function unusualCoefficient(task: Task, state: TrainState): string | null {
  const { c, cHat } = state;
  if (!task.rule.adaptive || (c >= 0 && Math.abs(cHat ?? 0) <= USUAL_ESTIMATE)) return null;
  const rounded = (value: number) => Number(value.toPrecision(3));
  const estimate = cHat === null ? '' : `ĉ is ${rounded(cHat)}, `;
  return `${estimate}c ${rounded(c)} and what multiplies the correction, γ·c, ${rounded(coefficientOf(task, state))}; usually c lies between 0 and 1. Between batches the losses of the snapshot vary too little, or too unlike those of the network, to say how much of its gradients to take. Nothing is clamped, as nothing is in the published method; a smaller agentAlpha (--agent-alpha) follows such estimates less.`;
}

/** Stored gradients as tensors of the parameters' shapes, owned by the caller. */
const upload = (stored: StoredGradients, like: Tensors): Tensors =>
  mapTree((tensor, values: Float32Array) => tf.tensor(values, tensor.shape), like, stored);

/**
 * u and g̃ for one batch, with the maps onto the current structures: weights grown since the snapshot get no correction.
 * Null where nothing is corrected.
 *
 * @param stored g̃ of the batch, kept by the pre-pass; null: computed at the snapshot, on the batch as it is now
 * @returns u belongs to the state, g̃ to the caller (`disposeCorrection`)
 */
export async function correctionFor(
  task: Task,
  state: TrainState,
  stored: StoredGradients | null,
  batch: TrainingBatch,
): Promise<{ correction: Correction | null; costs: Costs }> {
  const { snapshot, meanGradient, params } = state;
  if (snapshot === null) return { correction: null, costs: NO_COSTS };
  let snapshotGradient: Tensors;
  let costs = NO_COSTS;
  if (stored) {
    snapshotGradient = upload(stored, trainables(snapshot.params));
  } else {
    const result = lossGradients(task.program, task.objective, snapshot, batch);
    result.loss.dispose();
    disposeTensors(result.state);
    snapshotGradient = result.gradients;
    costs = gradientCosts(result.images, flopsOf(task.program, snapshot.params));
  }
  const maps = carryMaps(snapshot.params, params);
  const coefficient = coefficientOf(task, state);
  return { correction: { snapshotGradient, snapshotMean: meanGradient, coefficient, maps }, costs };
}

export const disposeCorrection = (correction: Correction | null): void =>
  disposeTensors(correction?.snapshotGradient ?? {});
