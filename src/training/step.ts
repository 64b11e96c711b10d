// One training step: adversarial examples, gradients, correction, update, masks.
import { disposeParams, disposeTensors, type Params, type Tensors, trainable, trainables } from '../core/params.ts';
import { sizeOf } from '../core/structure.ts';
import { flops as flopsOf, kernelsOf } from '../models/inspect.ts';
import { averageDecay, carryAverage, disposeAverage, updateAverage } from '../optimizers/average.ts';
import { carryState } from '../optimizers/carry.ts';
import { applyUpdates, disposeState } from '../optimizers/sgd.ts';
import type { MaskUpdate } from '../sparsity/types.ts';
import { correctionFor, disposeCorrection, type KeptGradients } from './agent/correction.ts';
import { carryMemory } from './agent/memory.ts';
import { disposeBatch, drawBatch, type TrainingBatch, withAdversarial } from './batches/batches.ts';
import { explore } from './explored.ts';
import { lossGradients, probesFor } from './loss-gradients.ts';
import { addCosts, type Costs, gradientCosts, NO_COSTS } from './run/costs.ts';
import { diverged } from './run/divergence.ts';
import type { Stopwatch } from './run/stopwatch.ts';
import type { TrainState } from './state.ts';
import { learningRateAt, type Task } from './task.ts';

export interface StepReport {
  readonly loss: number;
  readonly learningRate: number;
  /** What the mask update did; null if masks did not change. */
  readonly masks: MaskChange | null;
}

/** Numbers of weights that a mask update changed, over all kernels. */
export interface MaskChange {
  /** Weights that were removed. A weight that was removed, grown again at once and kept its value counts neither here nor below. */
  readonly dropped: number;
  readonly grown: number;
}

/**
 * One training step: the batch's adversarial examples against θ, g = ∇L(θ), the correction g + γc·(u − g̃), momentum and
 * weight decay, the update; then, where one is due, the masks, or these alone. `state` moves on by one batch.
 *
 * @param kept where g̃ is kept, if it is not computed
 * @throws DivergenceError if the loss is not finite; `state` is then as before
 */
export async function trainStep(
  task: Task,
  state: TrainState,
  indices: Int32Array,
  kept: KeptGradients,
  watch: Stopwatch,
): Promise<StepReport> {
  const { program, objective, config, sparsifier, totalSteps } = task;
  const weights = { params: state.params, state: state.statistics };
  const done = { step: state.step + 1, totalSteps };
  const rewires = sparsifier?.updatesAt(done) ?? false;
  const probes = rewires && sparsifier?.needsDenseGradients ? probesFor(state.params) : {};

  const drawn = drawBatch(task, state.epoch, indices);
  const { batch, costs: attackCosts } = await watch.attack(() =>
    withAdversarial(task, task.attacks.training(state), weights, state.epoch, drawn),
  );
  const result = lossGradients(program, objective, weights, batch, probes);
  const [loss] = await result.loss.data();
  result.loss.dispose();
  disposeTensors(probes);
  if (!Number.isFinite(loss)) {
    disposeBatch(batch);
    for (const tensors of [result.gradients, result.denseGradients, result.state]) disposeTensors(tensors);
    throw diverged(task, loss, `in step ${state.step + 1} (epoch ${state.epoch + 1})`);
  }
  const learningRate = learningRateAt(task, state.step);
  const remembered = kept?.kind === 'memory' ? await kept.record(state, result.gradients, loss) : null;
  const moves = !(rewires && config.maskUpdate === 'instead-of-step');
  const correctionCosts = moves
    ? await moveWeights(task, state, { gradients: result.gradients, batch, learningRate, kept })
    : NO_COSTS;
  disposeBatch(batch);
  disposeTensors(result.gradients);
  if (remembered) {
    disposeTensors(state.meanGradient);
    Object.assign(state, remembered);
  }
  const costs = [
    attackCosts,
    gradientCosts(result.images, flopsOf(program, state.params)),
    denseGradientCosts(task, probes, result.images),
    correctionCosts,
  ].reduce(addCosts, state.costs);
  disposeTensors(state.statistics);
  Object.assign(state, {
    statistics: result.state,
    step: done.step,
    batch: state.batch + 1,
    lossSum: state.lossSum + loss,
    costs,
  } satisfies Partial<TrainState>);
  const masks = rewires ? await updateMasks(task, state, learningRate, result.denseGradients) : null;
  disposeTensors(result.denseGradients);
  moveAverage(task, state);
  return { loss, learningRate, masks };
}

interface Move {
  /** The gradients of the batch at the weights; borrowed, like the batch. */
  readonly gradients: Tensors;
  readonly batch: TrainingBatch;
  readonly learningRate: number;
  readonly kept: KeptGradients;
}

/** The correction, momentum and weight decay, and the update of the weights; what the correction took. */
async function moveWeights(
  task: Task,
  state: TrainState,
  { gradients, batch, learningRate, kept }: Move,
): Promise<Costs> {
  const { correction, costs } = await correctionFor(task, state, kept, state.batch, batch);
  const { updates, state: optimizer } = task.optimizer.update(gradients, state.optimizer, trainables(state.params), {
    learningRate,
    correction,
  });
  const params = applyUpdates(state.params, updates);
  disposeTensors(updates);
  disposeCorrection(correction);
  disposeParams(state.params);
  disposeState(state.optimizer);
  Object.assign(state, { params, optimizer } satisfies Partial<TrainState>);
  return costs;
}

/** Moves the averages, if there are any, towards the weights and statistics after a step. */
function moveAverage({ config }: Task, state: TrainState): void {
  const { average: before, params, statistics, step } = state;
  if (before === null || config.ema === undefined) return;
  const network = { params, state: statistics };
  state.average = updateAverage(before, network, averageDecay(config.ema, step - 1));
  disposeAverage(before);
}

/** Lets the sparsifier rewire the kernels after the step just done; momentum restarts at 0 where a weight was grown. */
async function updateMasks(
  { sparsifier, keys, totalSteps }: Task,
  state: TrainState,
  learningRate: number,
  denseGradients: Tensors,
): Promise<MaskChange> {
  if (sparsifier === null) return { dropped: 0, grown: 0 };
  const progress = { step: state.step, totalSteps, learningRate };
  const { params, carried } = await sparsifier.update(state.params, progress, denseGradients, keys.rewire(state.step));
  const optimizer = carryState(state.optimizer, carried);
  const average = state.average && carryAverage(state.average, params, carried);
  const explored = explore(state.explored, params, state.params);
  if (state.memory) {
    const moved = carryMemory(state, carried);
    disposeTensors(state.meanGradient);
    Object.assign(state, moved);
  }
  const changed = maskChange(state.params, carried);
  disposeParams(state.params);
  disposeState(state.optimizer);
  if (state.average) disposeAverage(state.average);
  Object.assign(state, { params, optimizer, average, explored } satisfies Partial<TrainState>);
  return changed;
}

function maskChange(before: Params, carried: MaskUpdate['carried']): MaskChange {
  let [dropped, grown] = [0, 0];
  for (const [name, map] of Object.entries(carried)) {
    const added = countGrown(map);
    grown += added;
    dropped += trainable(before[name]).size - (map.length - added);
  }
  return { dropped, grown };
}

function countGrown(map: Int32Array): number {
  let grown = 0;
  for (let i = 0; i < map.length; i++) if (map[i] < 0) grown++;
  return grown;
}

/** The multiply-adds of the dense gradients of probed kernels, beside those at the nonzeros. */
function denseGradientCosts({ program }: Task, probes: Tensors, images: number): Costs {
  const perImage = kernelsOf(program)
    .filter(({ name }) => name in probes)
    .reduce((sum, { shape, positions }) => sum + sizeOf(shape) * positions, 0);
  return { ...NO_COSTS, flops: images * perImage };
}
