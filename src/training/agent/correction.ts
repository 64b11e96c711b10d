// The correction of a training step: u, g̃ and the factor on their difference.
import * as tf from '@tensorflow/tfjs-core';
import { disposeTensors, mapTree, type Params, type Tensors, trainables } from '../../core/params.ts';
import { flops as flopsOf } from '../../models/inspect.ts';
import type { Correction } from '../../optimizers/agent.ts';
import { type CarryMaps, carryMaps } from '../../optimizers/carry.ts';
import { AGENT_DEFAULTS } from '../../optimizers/coefficients.ts';
import { emptyEntriesOf, withoutEntries } from '../../optimizers/empty-channels.ts';
import type { Snapshot } from '../../optimizers/snapshot.ts';
import type { TrainingBatch } from '../batches/batches.ts';
import { lossGradients } from '../loss-gradients.ts';
import { type Costs, gradientCosts, NO_COSTS } from '../run/costs.ts';
import type { TrainState } from '../state.ts';
import type { Task } from '../task.ts';
import type { GradientStore, StoredGradients } from './gradient-store.ts';
import type { GradientMemory } from './memory.ts';
import { correctsEpoch, snapshotPosition } from './snapshot-time.ts';

/** The factor on u − g̃ in the step to come: one, or one for each parameter. */
export function coefficientOf(
  { rule, config, totalSteps, agent }: Task,
  { c, step, params, memory }: TrainState,
): Correction['coefficient'] {
  const { agentGamma: gamma = AGENT_DEFAULTS.gamma } = config;
  const factor = (own: number) => rule.coefficient({ c: own, gamma, progress: step / totalSteps });
  if (!rule.adaptive || agent.coefficient !== 'per-parameter') return factor(c);
  return Object.fromEntries(Object.keys(params).map((name) => [name, factor(memory?.coefficients[name] ?? c)]));
}

/** The largest |ĉ| without a warning. ĉ is 1 if the network equals its snapshot. */
const USUAL_ESTIMATE = 2;

/** A warning if the estimate ĉ, where nothing bounds it, or the coefficient c that it led to is unusual, else null. */
export function unusualCoefficient(task: Task, state: TrainState): string | null {
  const { c, cHat } = state;
  const isUsual = task.agent.bounds !== undefined || Math.abs(cHat ?? 0) <= USUAL_ESTIMATE;
  if (!task.rule.adaptive || (c >= 0 && isUsual)) return null;
  const rounded = (value: number) => Number(value.toPrecision(3));
  const estimate = cHat === null ? '' : `ĉ is ${rounded(cHat)}, `;
  return `${estimate}c ${rounded(c)} and the factor on the correction, γ·c, ${rounded((task.config.agentGamma ?? AGENT_DEFAULTS.gamma) * c)}; usually c lies between 0 and 1. Between batches the losses of the snapshot vary too little, or too unlike those of the network, to say how much of its gradients to take. The published method has no bounds. Set some by agentBounds (--agent-bounds 0,1), or take agentVariant stable (--agent-variant stable).`;
}

/** Stored gradients as tensors of the parameters' shapes, owned by the caller. */
const upload = (stored: StoredGradients, like: Tensors): Tensors =>
  mapTree((tensor, values: Float32Array) => tf.tensor(values, tensor.shape), like, stored);

/** The store that has a step's g̃; null if g̃ is computed at the snapshot. */
export type KeptGradients = GradientStore | GradientMemory | null;

interface StepCorrection {
  readonly correction: Correction | null;
  readonly costs: Costs;
}

const NO_CORRECTION: StepCorrection = { correction: null, costs: NO_COSTS };

/**
 * The correction of the step at a position of the epoch: u, g̃, their factor, and the maps onto the current structures. Weights
 * grown since the snapshot get none. Null if nothing is corrected.
 *
 * @param batch borrowed; the one at the position
 * @returns u belongs to the state, g̃ to the caller (`disposeCorrection`)
 */
export async function correctionFor(
  task: Task,
  state: TrainState,
  kept: KeptGradients,
  position: number,
  batch: TrainingBatch,
): Promise<StepCorrection> {
  const { snapshot, meanGradient: snapshotMean, params } = state;
  if (!correctsEpoch(task, state.epoch)) return NO_CORRECTION;
  const coefficient = coefficientOf(task, state);
  if (kept?.kind === 'memory') {
    const snapshotGradient = await kept.recall(state, position);
    return snapshotGradient
      ? { correction: { snapshotGradient, snapshotMean, coefficient }, costs: NO_COSTS }
      : NO_CORRECTION;
  }
  if (snapshot === null || position < snapshotPosition(task, state.epoch)) return NO_CORRECTION;
  const { gradients: snapshotGradient, costs } = await gradientAtSnapshot(task, snapshot, kept, position, batch);
  const maps = await mapsFrom(task, snapshot, params);
  return { correction: { snapshotGradient, snapshotMean, coefficient, maps }, costs };
}

async function gradientAtSnapshot(
  task: Task,
  snapshot: Snapshot,
  kept: GradientStore | null,
  position: number,
  batch: TrainingBatch,
): Promise<{ gradients: Tensors; costs: Costs }> {
  const stored = (await kept?.get(position)) ?? null;
  if (stored) return { gradients: upload(stored, trainables(snapshot.params)), costs: NO_COSTS };
  const result = lossGradients(task.program, task.objective, snapshot, batch);
  result.loss.dispose();
  disposeTensors(result.state);
  return {
    gradients: result.gradients,
    costs: gradientCosts(result.images, flopsOf(task.program, snapshot.params)),
  };
}

/** A cache of the last maps without the empty channels of a snapshot. They stay the same until masks change. */
const knownMaps = new WeakMap<Snapshot, { readonly plain: CarryMaps; readonly masked: CarryMaps }>();

async function mapsFrom({ agent }: Task, snapshot: Snapshot, params: Params): Promise<CarryMaps> {
  const plain = carryMaps(snapshot.params, params);
  if (agent.emptyChannels === 'corrected') return plain;
  const known = knownMaps.get(snapshot);
  if (known && sameMaps(known.plain, plain)) return known.masked;
  const masked = withoutEntries(plain, await emptyEntriesOf(snapshot.params), params);
  knownMaps.set(snapshot, { plain, masked });
  return masked;
}

/** True if the maps are the very same arrays, as `carryMaps` returns them while structures stay. */
const sameMaps = (a: CarryMaps, b: CarryMaps): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, map]) => b[name] === map);

export const disposeCorrection = (correction: Correction | null): void =>
  disposeTensors(correction?.snapshotGradient ?? {});
