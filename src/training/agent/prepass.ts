// The pass before an epoch's updates of a training run: its examples, its costs, and what it changes in the state.
import { disposeTensors, type Tensors } from '../../core/params.ts';
import { yieldToEvents } from '../../core/yield-to-events.ts';
import { flops as flopsOf } from '../../models/inspect.ts';
import type { Weights } from '../../models/types.ts';
import { AGENT_DEFAULTS, boundEstimate, type Estimate } from '../../optimizers/coefficients.ts';
import { agentPrepass } from '../../optimizers/pass.ts';
import { subsampleBatches } from '../../optimizers/prepasses.ts';
import { disposeSnapshot, type Snapshot, takeSnapshot } from '../../optimizers/snapshot.ts';
import { batchesOfEpoch, disposeBatch, drawBatch, type TrainingBatch, withAdversarial } from '../batches/batches.ts';
import { throwIfAborted } from '../errors.ts';
import { lossGradients, lossOf } from '../loss-gradients.ts';
import { addCosts, type Costs, forwardCosts, gradientCosts, NO_COSTS } from '../run/costs.ts';
import type { Stopwatch } from '../run/stopwatch.ts';
import type { TrainState } from '../state.ts';
import type { Task } from '../task.ts';
import { download, type GradientStore, type GradientStoreOptions, gradientStore } from './gradient-store.ts';

/** The result of a pre-pass. */
export interface Prepass {
  /** θ̃ ← θ; owned by the caller. */
  readonly snapshot: Snapshot;
  /** u, the mean over the batches of ∇L(θ̃); owned by the caller. */
  readonly meanGradient: Tensors;
  /** ĉ before it is bounded, or why there is none; null if the rule does not use ĉ. */
  readonly estimate: Estimate | null;
  readonly c: number;
  /** ∇L(θ̃) of each batch of the epoch if the pass sees these batches; null if the steps compute it. The caller closes it. */
  readonly stored: GradientStore | null;
  readonly costs: Costs;
}

export interface PrepassOptions {
  /** Where a pre-pass keeps gradients. */
  readonly store: GradientStoreOptions;
  readonly watch: Stopwatch;
  readonly signal?: AbortSignal;
  readonly onBatch?: (batch: number, batches: number) => void | Promise<void>;
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
  const { program, objective, rule, prepass: look, agent } = task;
  const { agentAlpha: alpha = AGENT_DEFAULTS.alpha } = task.config;
  const weights = { params: state.params, state: state.statistics };
  const previous = state.snapshot && { params: state.snapshot.params, state: state.snapshot.state };
  const stored = look.gradients === 'kept' ? gradientStore(options.store, state.batch) : null;
  let costs = NO_COSTS;
  let meanGradient: Tensors;
  let found: Estimate | null;
  const lossBefore = (at: Weights) => (batch: TrainingBatch) => {
    const before = lossOf(program, objective, at, batch);
    costs = addCosts(costs, forwardCosts(before.images, flopsOf(program, at.params)));
    return before.loss;
  };
  try {
    ({ meanGradient, estimate: found } = await agentPrepass(
      examplesOf(task, state, seenBatches(task, state), options, (attack) => {
        costs = addCosts(costs, attack);
      }),
      {
        gradients: (batch) => {
          const result = lossGradients(program, objective, weights, batch);
          disposeTensors(result.state);
          costs = addCosts(costs, gradientCosts(result.images, flopsOf(program, weights.params)));
          return result;
        },
        ...(rule.adaptive && look.estimates && previous && { lossBefore: lossBefore(previous) }),
        onGradients: async (gradients) => stored?.add(await download(gradients)),
      },
    ));
  } catch (error) {
    await stored?.close();
    throw error;
  }
  const estimate = rule.adaptive ? (look.estimates ? found : { value: 1 }) : null;
  const step = estimate && { c: state.c, estimate: boundEstimate(estimate, agent.bounds), alpha, epoch: state.epoch };
  return {
    snapshot: takeSnapshot(weights.params, weights.state),
    meanGradient,
    estimate,
    c: step ? look.coefficient(step) : state.c,
    stored,
    costs,
  };
}

/** A snapshot without a pass, for an epoch that is not corrected. The next epoch compares its losses with it. */
export const snapshotOnly = ({ params, statistics, c }: TrainState): Prepass => ({
  snapshot: takeSnapshot(params, statistics),
  meanGradient: {},
  estimate: null,
  c,
  stored: null,
  costs: NO_COSTS,
});

/** The network that a pre-pass attacks, and where the run stands. */
type AttackedState = Pick<TrainState, 'epoch' | 'guard' | 'params' | 'statistics'>;

/** The examples of batches one after the other; each is disposed when the next is asked for. */
async function* examplesOf(
  task: Task,
  state: AttackedState,
  batches: readonly Int32Array[],
  { watch, signal, onBatch }: PrepassOptions,
  onCosts: (costs: Costs) => void,
): AsyncGenerator<TrainingBatch> {
  for (const [index, indices] of batches.entries()) {
    const { batch, costs } = await prepassBatch(task, state, indices, watch);
    onCosts(costs);
    try {
      yield batch;
    } finally {
      disposeBatch(batch);
    }
    await onBatch?.(index + 1, batches.length);
    await yieldToEvents();
    throwIfAborted(signal);
  }
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
  const batches = batchesOfEpoch(task, state.epoch).slice(from);
  const { epoch, guard } = state;
  const at = { epoch, guard, params: snapshot.params, statistics: snapshot.state };
  try {
    for await (const batch of examplesOf(task, at, batches, options, () => {})) {
      const result = lossGradients(task.program, task.objective, snapshot, batch);
      disposeTensors(result.state);
      result.loss.dispose();
      const gradients = await download(result.gradients);
      disposeTensors(result.gradients);
      await stored.add(gradients);
    }
  } catch (error) {
    await stored.close();
    throw error;
  }
  return stored;
}

/** The batches from the state's on that the pre-pass of their epoch sees. */
function seenBatches(task: Task, { epoch, batch }: Pick<TrainState, 'epoch' | 'batch'>): Int32Array[] {
  const { agentPrepassShare = 1 } = task.config;
  const batches = batchesOfEpoch(task, epoch).slice(batch);
  if (!task.prepass.subsamples) return batches;
  return Array.from(subsampleBatches(batches.length, agentPrepassShare, task.keys.data(epoch)), (i) => batches[i]);
}

/** What the pre-pass sees of one batch, and what its attack took. */
async function prepassBatch(
  task: Task,
  state: AttackedState,
  indices: Int32Array,
  watch: Stopwatch,
): Promise<{ batch: TrainingBatch; costs: Costs }> {
  const { epoch, params, statistics } = state;
  const replayed = task.prepass.examples === 'epoch';
  const drawn = drawBatch(task, epoch, indices, { augmented: replayed });
  const attack = replayed ? task.attacks.prepass(state) : null;
  return watch.attack(() => withAdversarial(task, attack, { params, state: statistics }, epoch, drawn));
}

/** Replaces the snapshot, u and c of a state by those that a pre-pass found. */
export function adoptPrepass(state: TrainState, { snapshot, meanGradient, estimate, c, costs }: Prepass): void {
  if (state.snapshot) disposeSnapshot(state.snapshot);
  disposeTensors(state.meanGradient);
  state.snapshot = snapshot;
  state.meanGradient = meanGradient;
  state.c = c;
  state.cHat = estimate?.value ?? null;
  state.costs = addCosts(state.costs, costs);
}
