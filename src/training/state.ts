// The state of a training run: everything that its next steps depend on, and how a checkpoint holds it.
import { z } from 'zod';
import { networkOnly } from '../checkpoints/exchange/network.ts';
import type { Checkpoint, Json } from '../checkpoints/types.ts';
import { InputError } from '../core/errors.ts';
import {
  disposeParams,
  disposeTensors,
  mapTree,
  type Params,
  type Tensors,
  trainables,
  withTrainables,
  zerosLike,
} from '../core/params.ts';
import { init } from '../models/init.ts';
import { checkWeights, kernelsOf, parametersOf, statisticsOf } from '../models/inspect.ts';
import { type Average, disposeAverage, startAverage } from '../optimizers/average.ts';
import { AGENT_DEFAULTS } from '../optimizers/coefficients.ts';
import { disposeState } from '../optimizers/sgd.ts';
import { disposeSnapshot, type Snapshot, takeSnapshot } from '../optimizers/snapshot.ts';
import type { OptimizerState } from '../optimizers/types.ts';
import { startNetwork } from '../sparsity/start-network.ts';
import { emptyMemory, type GrownAt, type MemoryState, memorySchema } from './agent/memory-state.ts';
import { type Explored, explore } from './explored.ts';
import { type GuardState, UNCHECKED } from './guard/rule.ts';
import { type BestEpoch, MEASURES, WEIGHTS, type WeightsKind } from './run/best-epoch.ts';
import { type Costs, NO_COSTS } from './run/costs.ts';
import { distributionOptions, type Task } from './task.ts';
import { trainedWeights } from './trained-weights.ts';

/** The network of a state, without what only training needs. */
export type TrainedNetwork = Pick<TrainState, 'params' | 'statistics' | 'epoch' | 'step'>;

/** Everything that the rest of a run depends on. It owns its tensors and is replaced field by field. */
export interface TrainState {
  /** Epochs completed. */
  epoch: number;
  /** Batches of the next epoch that are trained on already. */
  batch: number;
  /** Number of optimizer steps done. */
  step: number;
  params: Params;
  /** Running statistics of batch norm. */
  statistics: Tensors;
  optimizer: OptimizerState;
  /** The averages of parameters and statistics over the steps; null without `ema`. Training never reads them. */
  average: Average | null;
  /** The snapshot θ̃; null under plain SGD, and under the pre-pass memory. */
  snapshot: Snapshot | null;
  /** The mean gradient u, on the structures of the snapshot, or of the weights under the pre-pass memory; empty before the first pre-pass. */
  meanGradient: Tensors;
  /** The state of the pre-pass memory; null under any other pre-pass. */
  memory: MemoryState | null;
  grownAt: GrownAt;
  /** AGENT's blended coefficient, and the last estimate that moved it. */
  c: number;
  cHat: number | null;
  explored: Explored;
  /** Sum of the losses of the epoch so far. */
  lossSum: number;
  variance: { readonly plain: number; readonly corrected: number } | null;
  costs: Costs;
  best: BestEpoch | null;
  /** The state of the guard against collapse; null without a guard. */
  guard: GuardState | null;
}

/** Initial weights of the seed, or those of a checkpoint, as the method starts from them, at the configuration's sparsity; owned by the caller. */
async function initialWeights(task: Task): Promise<{ params: Params; state: Tensors }> {
  const { config, program, keys, signs } = task;
  const { params: dense, state } = config.from === undefined ? init(program, keys.init) : await trainedWeights(task);
  if (config.distribution === undefined) return { params: dense, state };
  const params = await startNetwork(dense, {
    method: config.method,
    kernels: kernelsOf(program),
    distribution: config.distribution,
    sparsity: config.sparsity,
    options: distributionOptions(config),
    signs,
    key: keys.masks,
  }).finally(() => disposeParams(dense));
  return { params, state };
}

/** The state before the first step. The first snapshot is the initial masked network. */
export async function startState(task: Task): Promise<TrainState> {
  const { params, state } = await initialWeights(task);
  const remembers = task.rule.corrects && task.prepass.gradients === 'remembered';
  return {
    epoch: 0,
    batch: 0,
    step: 0,
    params,
    statistics: state,
    optimizer: task.optimizer.init(trainables(params)),
    average: task.config.ema === undefined ? null : startAverage({ params, state }),
    snapshot: task.rule.corrects && !remembers ? takeSnapshot(params, state) : null,
    meanGradient: remembers ? zerosLike(trainables(params)) : {},
    memory: remembers ? emptyMemory() : null,
    grownAt: {},
    c: AGENT_DEFAULTS.initial,
    cHat: null,
    explored: explore({}, params),
    lossSum: 0,
    variance: null,
    costs: NO_COSTS,
    best: null,
    guard: task.config.guard ? UNCHECKED : null,
  };
}

const progressSchema = z.object({
  batch: z.int().min(0),
  c: z.number(),
  cHat: z.number().nullable(),
  lossSum: z.number(),
  variance: z.object({ plain: z.number(), corrected: z.number() }).nullable(),
  costs: z.object({
    forwardPasses: z.number(),
    inputGradients: z.number(),
    weightGradients: z.number(),
    flops: z.number(),
  }),
  best: z
    .object({ epoch: z.int(), measure: z.enum(MEASURES), score: z.number().nullable(), weights: z.enum(WEIGHTS) })
    .nullable(),
  weights: z.enum(WEIGHTS),
  guard: z
    .object({
      best: z.number(),
      low: z.int(),
      lowest: z.number().nullable(),
      safe: z.int(),
      collapses: z.int(),
    })
    .nullable(),
  memory: memorySchema.nullable(),
  datasetSha256: z.string(),
  backend: z.string(),
});

/** The state as a checkpoint; its tensors are borrowed. */
export function toCheckpoint(task: Task, state: TrainState, backend: string): Checkpoint {
  const { epoch, step, batch, params, statistics, optimizer, average, snapshot, meanGradient, explored, grownAt } =
    state;
  const { c, cHat, lossSum, variance, costs, best, guard, memory } = state;
  const datasetSha256 = task.dataset.sha256;
  const weights: WeightsKind = 'raw';
  const progress = { batch, c, cHat, lossSum, variance, costs, best, weights, guard, memory, datasetSha256, backend };
  return {
    config: task.config as unknown as Readonly<Record<string, Json>>,
    model: task.model,
    epoch,
    step,
    progress: progress as unknown as Readonly<Record<string, Json>>,
    params,
    state: statistics,
    optimizer,
    average,
    snapshot,
    meanGradient,
    explored,
    grownAt,
  };
}

/** The averaged network of a state, its tensors borrowed; null without averages. */
export const averagedNetwork = ({ params, average, epoch, step }: TrainState): TrainedNetwork | null =>
  average && { params: withTrainables(params, average.params), statistics: average.state, epoch, step };

/** The averaged network of a state as a checkpoint, without what only training needs; its tensors are borrowed. */
export function toAveragedCheckpoint(
  task: Task,
  state: TrainState,
  { params, statistics }: TrainedNetwork,
  backend: string,
): Checkpoint {
  const checkpoint = toCheckpoint(task, state, backend);
  const weights: WeightsKind = 'averaged';
  return networkOnly({ ...checkpoint, params, state: statistics, progress: { ...checkpoint.progress, weights } });
}

/**
 * The state that a checkpoint holds; it takes the checkpoint's tensors over.
 *
 * @throws InputError if the checkpoint is of another model or of a run on other data
 */
export function fromCheckpoint(task: Task, checkpoint: Checkpoint): { state: TrainState; backend: string } {
  const progress = progressSchema.safeParse(checkpoint.progress);
  if (!progress.success) {
    throw new InputError(`The checkpoint's progress is not readable: ${z.prettifyError(progress.error)}`);
  }
  const { datasetSha256, backend, weights, ...rest } = progress.data;
  if (weights === 'averaged') {
    throw new InputError(
      'The checkpoint holds averaged weights without the state of training, so no run can be resumed from it. Resume from checkpoints/last.safetensors, or start a new run with from (--from).',
    );
  }
  if (datasetSha256 !== task.dataset.sha256) {
    throw new InputError(
      `The run was started on ${task.dataset.name} of SHA-256 ${datasetSha256}, and the data set here has ${task.dataset.sha256}. Resume it with the data that it was started on.`,
    );
  }
  const { epoch, step, average, snapshot, explored, grownAt } = checkpoint;
  checkWeights(task.program, checkpoint.params, checkpoint.state);
  const parameters = parametersOf(task.program).map(({ name }) => name);
  const statistics = statisticsOf(task.program).map(({ name }) => name);
  const state: TrainState = {
    epoch,
    step,
    params: inOrder(parameters, checkpoint.params),
    statistics: inOrder(statistics, checkpoint.state),
    optimizer: mapTree((slot) => inOrder(parameters, slot), checkpoint.optimizer),
    average: average && {
      params: inOrder(parameters, average.params),
      state: inOrder(statistics, average.state),
    },
    snapshot: snapshot && {
      params: inOrder(parameters, snapshot.params),
      state: inOrder(statistics, snapshot.state),
    },
    meanGradient: inOrder(parameters, checkpoint.meanGradient),
    explored,
    grownAt,
    ...rest,
  };
  return { state, backend };
}

/** Files sort names; sums over a tree go in the order in which the network declares them. */
const inOrder = <T>(names: readonly string[], tree: Readonly<Record<string, T>>): Readonly<Record<string, T>> =>
  Object.fromEntries(names.flatMap((name) => (name in tree ? [[name, tree[name]]] : [])));

export function disposeTrainState({
  params,
  statistics,
  optimizer,
  average,
  snapshot,
  meanGradient,
}: TrainState): void {
  disposeParams(params);
  disposeTensors(statistics);
  disposeState(optimizer);
  if (average) disposeAverage(average);
  if (snapshot) disposeSnapshot(snapshot);
  disposeTensors(meanGradient);
}
