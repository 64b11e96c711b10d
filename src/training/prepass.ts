import type { Scalar } from '@tensorflow/tfjs-core';
import { disposeTensors, type Tensors } from '../core/params.ts';
import { flops as flopsOf } from '../models/inspect.ts';
import { weightedSum } from '../ops/weighted-sum.ts';
import { AGENT_DEFAULTS, type Estimate, estimateCoefficient } from '../optimizers/coefficients.ts';
import { subsampleBatches } from '../optimizers/prepasses.ts';
import { disposeSnapshot, type Snapshot, takeSnapshot } from '../optimizers/snapshot.ts';
import { batchesOfEpoch, disposeBatch, drawBatch, type TrainingBatch, withAdversarial } from './batches.ts';
import { addCosts, type Costs, forwardCosts, gradientCosts, NO_COSTS } from './costs.ts';
import { throwIfAborted, yieldToEvents } from './errors.ts';
import {
  type GradientStore,
  type GradientStoreOptions,
  gradientStore,
  type StoredGradients,
} from './gradient-store.ts';
import { lossGradients, lossOf } from './loss-gradients.ts';
import type { TrainState } from './state.ts';
import type { Stopwatch } from './stopwatch.ts';
import type { Task } from './task.ts';

/** What a pre-pass finds out before an epoch's updates. */
export interface Prepass {
  /** θ̃ ← θ; owned by the caller. */
  readonly snapshot: Snapshot;
  /** u, the mean over the batches of ∇L(θ̃); owned by the caller. */
  readonly meanGradient: Tensors;
  /** ĉ, or why there is none; null where the rule reads none. */
  readonly estimate: Estimate | null;
  readonly c: number;
  /** ∇L(θ̃) of each batch of the epoch, where the pass sees the very batches; null where steps compute it. To be closed. */
  readonly stored: GradientStore | null;
  readonly costs: Costs;
}

export interface PrepassOptions {
  /** Where gradients are kept that a pre-pass keeps. */
  readonly store: GradientStoreOptions;
  readonly watch: Stopwatch;
  readonly signal?: AbortSignal;
  readonly onBatch?: (batch: number, batches: number) => void;
}

/**
 * AGENT's pass over the batches b of the coming epoch with the weights θ as they are: lossNow_b = L(θ; b) and its
 * gradient, lossSnap_b = L(θ̃; b) with the snapshot of the epoch before, u = mean of ∇L(θ; b), and
 *
 *   ĉ = Cov(lossNow, lossSnap) / Var(lossSnap),  c ← (1 − α)·c + α·ĉ,  θ̃ ← θ
 *
 * (Lei et al. 2023, https://arxiv.org/abs/2301.03573), on the examples that the table `prepasses` names: `matched` replays
 * the epoch's own batches, augmented and attacked against θ, and keeps the gradients. Losses take the statistics of the
 * batch, whose new running statistics are discarded; attacks take the running ones.
 *
 * @param state borrowed and not changed
 */
export async function runPrepass(task: Task, state: TrainState, options: PrepassOptions): Promise<Prepass> {
  const { program, objective, rule, prepass: look } = task;
  const { agentAlpha: alpha = AGENT_DEFAULTS.alpha } = task.config;
  const weights = { params: state.params, state: state.statistics };
  const previous = state.snapshot && { params: state.snapshot.params, state: state.snapshot.state };
  const batches = seenBatches(task, state.epoch);
  const stored = look.keepsGradients ? gradientStore(options.store) : null;
  const lossesNow: number[] = [];
  const lossesSnapshot: number[] = [];
  let sum: Tensors | null = null;
  let costs = NO_COSTS;
  try {
    for (const [index, indices] of batches.entries()) {
      const seen = await prepassBatch(task, state, indices, options.watch);
      costs = addCosts(costs, seen.costs);
      try {
        const result = lossGradients(program, objective, weights, seen.batch);
        disposeTensors(result.state);
        costs = addCosts(costs, gradientCosts(result.images, flopsOf(program, weights.params)));
        lossesNow.push(await take(result.loss));
        await stored?.add(await download(result.gradients));
        sum = accumulate(sum, result.gradients);
        if (rule.adaptive && look.estimates && previous) {
          const before = lossOf(program, objective, previous, seen.batch);
          lossesSnapshot.push(await take(before.loss));
          costs = addCosts(costs, forwardCosts(before.images, flopsOf(program, previous.params)));
        }
      } finally {
        disposeBatch(seen.batch);
      }
      options.onBatch?.(index + 1, batches.length);
      await yieldToEvents();
      throwIfAborted(options.signal);
    }
  } catch (error) {
    if (sum) disposeTensors(sum);
    await stored?.close();
    throw error;
  }
  const total = sum as Tensors | null;
  const meanGradient = total ? weightedSum([1 / batches.length, total]) : {};
  if (total) disposeTensors(total);
  const estimate = !rule.adaptive
    ? null
    : look.estimates
      ? estimateCoefficient(lossesNow, lossesSnapshot)
      : { value: 1 };
  return {
    snapshot: takeSnapshot(weights.params, weights.state),
    meanGradient,
    estimate,
    c: estimate ? look.coefficient({ c: state.c, estimate, alpha, epoch: state.epoch }) : state.c,
    stored,
    costs,
  };
}

/**
 * The stored gradients of a `matched` pre-pass again, for a resume inside an epoch: computed from the snapshot, whose
 * weights they belong to. Batches before `from` are left out.
 *
 * @returns to be closed
 */
export async function recomputeStored(
  task: Task,
  state: TrainState,
  from: number,
  options: PrepassOptions,
): Promise<GradientStore | null> {
  const { snapshot } = state;
  if (snapshot === null) return null;
  const stored = gradientStore(options.store, from);
  const batches = batchesOfEpoch(task, state.epoch);
  const at = { ...state, params: snapshot.params, statistics: snapshot.state };
  try {
    for (const [index, indices] of batches.entries()) {
      if (index < from) continue;
      const { batch } = await prepassBatch(task, at, indices, options.watch);
      const result = lossGradients(task.program, task.objective, snapshot, batch);
      disposeTensors(result.state);
      result.loss.dispose();
      disposeBatch(batch);
      const gradients = await download(result.gradients);
      disposeTensors(result.gradients);
      await stored.add(gradients);
      options.onBatch?.(index + 1, batches.length);
      await yieldToEvents();
      throwIfAborted(options.signal);
    }
  } catch (error) {
    await stored.close();
    throw error;
  }
  return stored;
}

/** The batches of the epoch that its pre-pass sees. */
function seenBatches(task: Task, epoch: number): Int32Array[] {
  const { agentPrepassShare = 1 } = task.config;
  const batches = batchesOfEpoch(task, epoch);
  if (!task.prepass.subsamples) return batches;
  return Array.from(subsampleBatches(batches.length, agentPrepassShare, task.keys.data(epoch)), (i) => batches[i]);
}

/** What the pre-pass sees of one batch, and what its attack took. */
async function prepassBatch(
  task: Task,
  state: TrainState,
  indices: Int32Array,
  watch: Stopwatch,
): Promise<{ batch: TrainingBatch; costs: Costs }> {
  const { epoch, params, statistics } = state;
  const replayed = task.prepass.examples === 'epoch';
  const drawn = drawBatch(task, epoch, indices, { augmented: replayed });
  const attack = replayed ? task.attacks.prepass(state) : null;
  return watch.attack(() => withAdversarial(task, attack, { params, state: statistics }, epoch, drawn));
}

/** sum + gradients; both are taken over. */
function accumulate(sum: Tensors | null, gradients: Tensors): Tensors {
  if (sum === null) return gradients;
  const added = weightedSum([1, sum], [1, gradients]);
  disposeTensors(sum);
  disposeTensors(gradients);
  return added;
}

async function take(scalar: Scalar): Promise<number> {
  const [value] = await scalar.data();
  scalar.dispose();
  return value;
}

async function download(tensors: Tensors): Promise<StoredGradients> {
  const entries = Object.entries(tensors).map(
    async ([name, tensor]) => [name, ((await tensor.data()) as Float32Array).slice()] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** Puts what a pre-pass found in the place of what `state` had. */
export function adoptPrepass(state: TrainState, { snapshot, meanGradient, estimate, c, costs }: Prepass): void {
  if (state.snapshot) disposeSnapshot(state.snapshot);
  disposeTensors(state.meanGradient);
  state.snapshot = snapshot;
  state.meanGradient = meanGradient;
  state.c = c;
  state.cHat = estimate?.value ?? null;
  state.costs = addCosts(state.costs, costs);
}
