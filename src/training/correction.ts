import * as tf from '@tensorflow/tfjs-core';
import { disposeTensors, mapTree, type Tensors, trainables } from '../core/params.ts';
import { flops as flopsOf } from '../models/inspect.ts';
import type { Correction } from '../optimizers/agent.ts';
import { carryMaps } from '../optimizers/carry.ts';
import type { TrainingBatch } from './batches.ts';
import { type Costs, gradientCosts, NO_COSTS } from './costs.ts';
import type { StoredGradients } from './gradient-store.ts';
import { lossGradients } from './loss-gradients.ts';
import type { TrainState } from './state.ts';
import type { Task } from './task.ts';

/** What multiplies u − g̃ in the step to come. */
export const coefficientOf = ({ rule, config, totalSteps }: Task, { c, step }: TrainState): number =>
  rule.coefficient({ c, gamma: config.agentGamma ?? 1, progress: step / totalSteps });

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
