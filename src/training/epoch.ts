// One epoch of a run: the pre-pass, the steps, and the measurements after them.
import { sparsityOf } from '../core/params.ts';
import { yieldToEvents } from '../core/yield-to-events.ts';
import type { Estimate } from '../optimizers/coefficients.ts';
import { attackPlan } from './adversary/plan.ts';
import { type KeptGradients, unusualCoefficient } from './agent/correction.ts';
import type { GradientStoreOptions } from './agent/gradient-store.ts';
import type { GradientMemory } from './agent/memory.ts';
import { adoptPrepass, type PrepassOptions, recomputeStored, runPrepass, snapshotOnly } from './agent/prepass.ts';
import { correctsEpoch, snapshotPosition } from './agent/snapshot-time.ts';
import { measureVariance, variancePosition } from './agent/variance.ts';
import { batchesOfEpoch } from './batches/batches.ts';
import { isAdversarial } from './config/conditions.ts';
import { throwIfAborted } from './errors.ts';
import { explorationRate } from './explored.ts';
import { checkAtEnd, checkWithin } from './guard/check.ts';
import { afterEpoch } from './guard/rule.ts';
import type { Report } from './run/event-log.ts';
import type { MetricRow } from './run/metrics.ts';
import type { Stopwatch } from './run/stopwatch.ts';
import { type Measured, measureAccuracy, measuredImages } from './run/validate.ts';
import { averagedNetwork, type TrainedNetwork, type TrainState } from './state.ts';
import { trainStep } from './step.ts';
import { learningRateAt, type Task } from './task.ts';

/** The parts of a run that an epoch uses. */
export interface EpochContext {
  readonly report: Report;
  readonly watch: Stopwatch;
  readonly signal?: AbortSignal;
  /** Where the gradients of a pre-pass are kept. */
  readonly store: GradientStoreOptions;
  /** The memory of the run; null unless its pre-pass is `memory`. */
  readonly memory?: GradientMemory | null;
  /** Called after each step: the place for a checkpoint inside the epoch. */
  afterStep(): Promise<void>;
}

/**
 * The rest of the epoch in which `state` stands: the pre-pass, the steps that are left, and the measurements after them.
 *
 * @returns the epoch's row, and `state` is then at the start of the next one; null if the guard found the network collapsed, and
 * `state` is then where it found that
 */
export async function trainEpoch(task: Task, state: TrainState, context: EpochContext): Promise<MetricRow | null> {
  const { watch } = context;
  if (await takeSteps(task, state, context)) return null;
  const measured = await measure(task, state, context);
  const { guard: checked, collapsed } = await checkAtEnd(task, state, measured.train.robustAccuracy, context.report);
  state.guard = checked;
  if (collapsed) return null;
  const row = metricRow(task, state, measured, watch);
  const epoch = state.epoch + 1;
  const guard = state.guard && afterEpoch(state.guard, epoch);
  Object.assign(state, { epoch, batch: 0, lossSum: 0, variance: null, guard } satisfies Partial<TrainState>);
  return row;
}

/** Takes the steps of the epoch that are left; returns true if the guard found the network collapsed among them. */
async function takeSteps(task: Task, state: TrainState, context: EpochContext): Promise<boolean> {
  const { watch, signal, report } = context;
  const batches = batchesOfEpoch(task, state.epoch);
  const snapshotAt = snapshotPosition(task, state.epoch);
  const varianceAt = variancePosition(task, state.epoch);
  const at = () => ({ epoch: state.epoch + 1, step: state.step });
  let kept: KeptGradients = await watch.train(() => reopen(task, state, context));
  try {
    while (state.batch < batches.length) {
      const { guard, collapsed } = await checkWithin(task, state, context);
      if (collapsed) return true;
      if (state.batch === snapshotAt) kept ??= await watch.train(() => prepare(task, state, context));
      if (state.batch === varianceAt && correctsEpoch(task, state.epoch)) {
        state.variance = await measureVariance(task, state, kept);
      }
      const { loss, learningRate, masks } = await watch.train(() =>
        trainStep(task, state, batches[state.batch], kept, watch),
      );
      state.guard = guard;
      if (masks !== null && !task.sparsifier?.continuous) await report({ kind: 'mask-update', ...at(), ...masks });
      await report({
        kind: 'step',
        ...at(),
        batch: state.batch,
        batches: batches.length,
        loss,
        meanLoss: state.lossSum / state.batch,
        lr: learningRate,
      });
      await yieldToEvents();
      throwIfAborted(signal);
      if (state.batch < batches.length) await context.afterStep();
    }
  } finally {
    if (kept?.kind === 'epoch') await kept.close();
  }
  return false;
}

/** Restores what a resumed epoch needs: the remembered gradients, or those of its pre-pass. */
async function reopen(task: Task, state: TrainState, context: EpochContext): Promise<KeptGradients> {
  const { rule, prepass, batchesPerEpoch } = task;
  if (!rule.corrects || state.batch === batchesPerEpoch) return null;
  if (prepass.gradients === 'remembered') return openMemory(task, state, context);
  const isBehindSnapshot = state.batch > snapshotPosition(task, state.epoch) && correctsEpoch(task, state.epoch);
  return prepass.gradients === 'kept' && isBehindSnapshot
    ? recomputeStored(task, state, state.batch, prepassOptions(state, context))
    : null;
}

/** The pre-pass of an epoch, and what it keeps. */
async function prepare(task: Task, state: TrainState, context: EpochContext): Promise<KeptGradients> {
  if (!task.rule.corrects || task.prepass.gradients === 'remembered') return null;
  if (!correctsEpoch(task, state.epoch)) {
    adoptPrepass(state, snapshotOnly(state));
    return null;
  }
  const { report } = context;
  const at = { epoch: state.epoch + 1, step: state.step };
  await report({ kind: 'prepass-start', ...at });
  const found = await runPrepass(task, state, prepassOptions(state, context));
  adoptPrepass(state, found);
  await reportCoefficient(task, state, found.estimate, report);
  await report({ kind: 'prepass-end', ...at, c: state.c, cHat: state.cHat });
  return found.stored;
}

const prepassOptions = (state: TrainState, { watch, signal, store, report }: EpochContext): PrepassOptions => ({
  watch,
  signal,
  store,
  onBatch: (batch, batches) => report({ kind: 'prepass', epoch: state.epoch + 1, step: state.step, batch, batches }),
});

async function openMemory(task: Task, state: TrainState, { memory, report }: EpochContext): Promise<GradientMemory> {
  if (!memory) throw new Error('A run with the pre-pass memory needs a memory.');
  const { estimate, lost } = await memory.begin(state);
  if (lost) {
    const message =
      'The remembered gradients that the checkpoint names are missing or others. The memory starts anew, and no step is corrected before the next epoch.';
    await report({ kind: 'warning', epoch: state.epoch + 1, step: state.step, message });
  }
  if (estimate) await reportCoefficient(task, state, estimate, report);
  return memory;
}

async function reportCoefficient(
  task: Task,
  state: TrainState,
  estimate: Estimate | null,
  report: Report,
): Promise<void> {
  const at = { epoch: state.epoch + 1, step: state.step };
  if (estimate?.value === null) {
    await report({ kind: 'warning', ...at, message: `c stays ${state.c}: ${estimate.reason}.` });
  }
  const unusual = unusualCoefficient(task, state);
  if (unusual !== null) await report({ kind: 'warning', ...at, message: unusual });
}

interface MeasuredSplits {
  readonly train: Measured;
  /** Accuracy on held-out images; null if none are held out, as with only a few training images. */
  readonly validation: Measured | null;
  /** Accuracy of the averaged weights on held-out images; null without averages. */
  readonly averaged: Measured | null;
}

async function measure(task: Task, state: TrainState, { report, signal }: EpochContext): Promise<MeasuredSplits> {
  const { indices } = task;
  const some = measuredImages(task);
  const heldOut = indices.validation;
  const averages = averagedNetwork(state);
  const count = some.length + (averages ? 2 : 1) * heldOut.length;
  let before = 0;
  const measureOn = async (network: TrainedNetwork, images: Int32Array): Promise<Measured | null> => {
    if (images.length === 0) return null;
    const onImages = (done: number) =>
      report({ kind: 'validation', epoch: state.epoch + 1, step: state.step, done: before + done, count });
    const measured = await measureAccuracy(task, network, images, { signal, onImages });
    before += images.length;
    return measured;
  };
  return {
    validation: await measureOn(state, heldOut),
    averaged: averages && (await measureOn(averages, heldOut)),
    train: (await measureOn(state, some)) as Measured,
  };
}

function metricRow(
  task: Task,
  state: TrainState,
  { train, validation, averaged }: MeasuredSplits,
  watch: Stopwatch,
): MetricRow {
  const { rule, batchesPerEpoch, config } = task;
  const { variance, costs, params, explored, guard } = state;
  const { seconds, epochSeconds, attackSeconds } = watch.times();
  return {
    epoch: state.epoch + 1,
    step: state.step,
    train_loss: state.lossSum / batchesPerEpoch,
    validation_loss: validation?.loss ?? null,
    validation_robust_loss: validation?.robustLoss ?? null,
    train_clean_accuracy: train.cleanAccuracy,
    train_robust_accuracy: train.robustAccuracy,
    validation_clean_accuracy: validation?.cleanAccuracy ?? null,
    validation_robust_accuracy: validation?.robustAccuracy ?? null,
    ema_validation_clean_accuracy: averaged?.cleanAccuracy ?? null,
    ema_validation_robust_accuracy: averaged?.robustAccuracy ?? null,
    lr: learningRateAt(task, state.step - 1),
    c: rule.adaptive ? state.c : null,
    c_hat: rule.adaptive ? state.cHat : null,
    gradient_variance: variance?.plain ?? null,
    gradient_variance_corrected: variance?.corrected ?? null,
    variance_ratio: variance && variance.plain > 0 ? variance.corrected / variance.plain : null,
    attack_steps: isAdversarial(config) ? (attackPlan(config, state)?.steps ?? 0) : null,
    guard_accuracy: guard?.lowest ?? null,
    collapses: guard?.collapses ?? null,
    sparsity: sparsityOf(params),
    rs: explorationRate(explored, params),
    forward_passes: costs.forwardPasses,
    input_gradients: costs.inputGradients,
    weight_gradients: costs.weightGradients,
    flops: costs.flops,
    seconds,
    attack_share: epochSeconds > 0 ? attackSeconds / epochSeconds : null,
  };
}
