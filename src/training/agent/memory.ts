// The pre-pass memory, which needs no pass and no snapshot. Each batch has the same images in every epoch. g̃ is the gradient that the
// batch gave one epoch ago, and u is the mean of the kept gradients of all batches (SAGA). One file holds the gradients of the last
// epoch, another those of this one.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { removeFile } from '../../checkpoints/files/atomic-file.ts';
import { disposeTensors, type Tensors, trainables, zerosLike } from '../../core/params.ts';
import type { Guard } from '../../files/lock.ts';
import { weightedSum } from '../../ops/weighted-sum.ts';
import { type CarryMaps, carry, mapsBetween, structuresOf } from '../../optimizers/carry.ts';
import {
  AGENT_DEFAULTS,
  blendCoefficient,
  boundEstimate,
  type Estimate,
  estimateCoefficient,
} from '../../optimizers/coefficients.ts';
import { emptyEntriesOf } from '../../optimizers/empty-channels.ts';
import { batchOrder } from '../batches/batches.ts';
import type { TrainState } from '../state.ts';
import type { Task } from '../task.ts';
import {
  createGradientLog,
  type GradientLog,
  type LoggedGradients,
  type LogMark,
  reopenGradientLog,
} from './gradient-log.ts';
import { DEFAULT_CACHE_MEMORY, download, type StoredGradients } from './gradient-store.ts';
import { emptyMemory, type MemoryState } from './memory-state.ts';

/** The parts of a state, beside weights and momentum, that a mask update carries over: u, and the ages of weights. */
export function carryMemory(
  { meanGradient, grownAt, step }: Pick<TrainState, 'meanGradient' | 'grownAt' | 'step'>,
  carried: CarryMaps,
): Pick<TrainState, 'meanGradient' | 'grownAt'> {
  const grown = Object.entries(carried).map(([name, map]) => [
    name,
    map.map((index) => (index < 0 ? step : (grownAt[name]?.[index] ?? 0))),
  ]);
  return { meanGradient: carry(meanGradient, carried), grownAt: { ...grownAt, ...Object.fromEntries(grown) } };
}

/** The memory of a run: the files of its folder, and as much of them as fits into memory. */
export interface GradientMemory {
  readonly kind: 'memory';
  /**
   * Opens the files of the epoch in which `state` stands. At its start the losses and gradients of the last epoch move c.
   *
   * @returns the estimate that moved c; null before there are two epochs to compare. `lost` is true if files that the state
   *   names are missing or are others: the memory then starts anew.
   */
  begin(state: TrainState): Promise<{ readonly estimate: Estimate | null; readonly lost: boolean }>;
  /** g̃ of the batch at a position of the epoch, on the structures of now; owned by the caller. Null if there is none. */
  recall(state: TrainState, position: number): Promise<Tensors | null>;
  /**
   * Keeps the gradients of the state's batch, before its step.
   *
   * @param gradients borrowed
   * @returns what they change in the state
   */
  record(state: TrainState, gradients: Tensors, loss: number): Promise<Pick<TrainState, 'memory' | 'meanGradient'>>;
  /** Waits until the files hold what the state says. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface MemoryOptions {
  /** Bytes of memory for gradients; default 1 GiB. Files hold all gradients in any case. */
  readonly memory?: number;
  /** The folder of the files. */
  readonly folder: string;
  /** A check before every write, which throws if writing is not allowed; default: none. */
  readonly guard?: Guard;
}

const fileOf = (epoch: number): string => `epoch-${epoch}.bin`;

export function gradientMemory(
  task: Task,
  { memory = DEFAULT_CACHE_MEMORY, folder, guard }: MemoryOptions,
): GradientMemory {
  const { precision, coefficient: estimatedFrom, emptyChannels } = task.agent;
  const { batchesPerEpoch: count } = task;
  const budget = { left: memory };
  const optionsOf = (file: string) => ({ path: join(folder, file), precision, budget, guard });
  let last: GradientLog | null = null;
  let current: GradientLog | null = null;
  let order: Int32Array = new Int32Array(0);
  let recalled: { readonly position: number; readonly step: number; readonly values: StoredGradients | null } | null =
    null;

  const close = async (): Promise<void> => {
    await last?.close();
    await current?.close();
    [last, current] = [null, null];
  };

  /** Opens the logs that `next` names and closes the others; returns false if one is lost. */
  async function open(next: Pick<MemoryState, 'last' | 'current'>): Promise<boolean> {
    const here = [last, current];
    const find = (wanted: LogMark | null) => here.find((log) => log !== null && isSame(log.mark, wanted)) ?? null;
    [last, current] = [find(next.last), find(next.current)];
    for (const log of here) if (log !== last && log !== current) await log?.close();
    const reopen = (wanted: LogMark | null) => (wanted ? reopenGradientLog(optionsOf(wanted.file), wanted) : null);
    last ??= await reopen(next.last);
    current ??= await reopen(next.current);
    return (last !== null) === (next.last !== null) && (current !== null) === (next.current !== null);
  }

  /** The values of the batch at a position, on the structures of the state. */
  async function valuesAt(state: TrainState, position: number): Promise<StoredGradients | null> {
    if (recalled?.position === position && recalled.step === state.step) return recalled.values;
    const found = (await last?.read(order[position])) ?? null;
    const values = found && onStructures(found, state);
    recalled = { position, step: state.step, values };
    return values;
  }

  return {
    kind: 'memory',
    begin: async (state) => {
      recalled = null;
      order = batchOrder(task, state.epoch);
      const before = state.memory ?? emptyMemory();
      const starts = state.batch === 0 && before.current?.file !== fileOf(state.epoch + 1);
      const estimate = starts && task.rule.adaptive ? adoptEstimate(task, state, before) : null;
      const { coefficients } = state.memory ?? before;
      let next: MemoryState = starts ? { ...nextEpoch(before, count), coefficients } : before;
      const lost = !(await open(next));
      if (lost) {
        await close();
        disposeTensors(state.meanGradient);
        state.meanGradient = zerosLike(trainables(state.params));
        next = { ...nextEpoch(emptyMemory(), count), coefficients };
      }
      current ??= await createGradientLog(optionsOf(fileOf(state.epoch + 1)));
      state.memory = { ...next, current: current.mark };
      if (starts) await removeOthers(folder, state, guard);
      return { estimate, lost };
    },
    recall: async (state, position) => {
      const values = await valuesAt(state, position);
      return values && upload(values, trainables(state.params));
    },
    record: async (state, gradients, loss) => {
      if (current === null || state.memory === null) throw new Error('The memory of the epoch was not opened.');
      const number = order[state.batch];
      const before = await valuesAt(state, state.batch);
      const values = await download(gradients);
      if (emptyChannels === 'uncorrected') {
        for (const [name, entries] of Object.entries(await emptyEntriesOf(state.params))) {
          for (const entry of entries) values[name][entry] = 0;
        }
      }
      const structures = structuresOf(state.params);
      const kept = await current.append({ batch: number, step: state.step, structures, values });
      last?.forget(number);
      const { lossesNow, sums } = state.memory;
      const moved: MemoryState = {
        ...state.memory,
        current: current.mark,
        lossesNow: lossesNow.map((other, i) => (i === number ? loss : other)),
        sums: estimatedFrom !== 'losses' && before ? await addSums(sums, gradients, before, state.meanGradient) : sums,
      };
      return { memory: moved, meanGradient: movedMean(state.meanGradient, kept, before, count) };
    },
    sync: async () => {
      await current?.sync();
    },
    close,
  };
}

/** The state at the start of a new epoch: what belonged to this epoch now belongs to the last one. */
const nextEpoch = ({ current, lossesNow }: MemoryState, batches: number): MemoryState => ({
  ...emptyMemory(),
  last: current,
  lossesBefore: lossesNow,
  lossesNow: Array(batches).fill(null),
});

const isSame = (a: LogMark, b: LogMark | null): boolean =>
  b !== null && a.file === b.file && a.bytes === b.bytes && a.sha256 === b.sha256;

/** u + (new − old) / n */
function movedMean(mean: Tensors, now: StoredGradients, before: StoredGradients | null, count: number): Tensors {
  const [added, removed] = [upload(now, mean), upload(before ?? {}, mean)];
  const moved = before
    ? weightedSum([1, mean], [1 / count, added], [-1 / count, removed])
    : weightedSum([1, mean], [1 / count, added]);
  disposeTensors(added);
  disposeTensors(removed);
  return moved;
}

const upload = (values: StoredGradients, like: Tensors): Tensors =>
  Object.fromEntries(Object.entries(values).map(([name, array]) => [name, tf.tensor(array, like[name].shape)]));

/** Gradients on the structures of now: 0 at weights that were grown since. */
function onStructures(
  { structures, step, values }: LoggedGradients,
  { params, grownAt }: Pick<TrainState, 'params' | 'grownAt'>,
): StoredGradients {
  const maps = mapsBetween(structures, structuresOf(params));
  const carried = Object.entries(maps).map(([name, map]) => {
    const grown = grownAt[name];
    const out = new Float32Array(map.length);
    for (let i = 0; i < map.length; i++) {
      if (map[i] >= 0 && !(grown?.[i] > step)) out[i] = values[name][map[i]];
    }
    return [name, out];
  });
  return { ...values, ...Object.fromEntries(carried) };
}

async function addSums(
  sums: MemoryState['sums'],
  gradients: Tensors,
  before: StoredGradients,
  mean: Tensors,
): Promise<MemoryState['sums']> {
  const added: [string, MemoryState['sums'][string]][] = [];
  for (const [name, tensor] of Object.entries(gradients)) {
    const [now, then, u] = [await tensor.data(), before[name], await mean[name].data()];
    let { covariance, variance } = sums[name] ?? { covariance: 0, variance: 0 };
    for (let i = 0; i < then.length; i++) {
      covariance += (now[i] - u[i]) * (then[i] - u[i]);
      variance += (then[i] - u[i]) ** 2;
    }
    added.push([name, { covariance, variance }]);
  }
  return Object.fromEntries(added);
}

/** Moves c by the losses and gradients of the last epoch; null if there was no epoch to compare with. */
function adoptEstimate(task: Task, state: TrainState, memory: MemoryState): Estimate | null {
  const { bounds, coefficient: estimatedFrom } = task.agent;
  const { agentAlpha: alpha = AGENT_DEFAULTS.alpha } = task.config;
  const blend = (c: number, estimate: Estimate) => blendCoefficient(c, boundEstimate(estimate, bounds), alpha);
  let estimate: Estimate;
  if (estimatedFrom === 'losses') {
    const pairs = memory.lossesNow.flatMap((now, i) => {
      const before = memory.lossesBefore[i] ?? null;
      return now === null || before === null ? [] : [{ now, before }];
    });
    if (pairs.length === 0) return null;
    estimate = estimateCoefficient(
      pairs.map(({ now }) => now),
      pairs.map(({ before }) => before),
    );
  } else {
    const all = Object.values(memory.sums);
    if (all.length === 0) return null;
    const total = (which: 'covariance' | 'variance') => all.reduce((sum, each) => sum + each[which], 0);
    estimate = ratio(total('covariance'), total('variance'));
  }
  state.c = blend(state.c, estimate);
  state.cHat = estimate.value;
  if (estimatedFrom === 'per-parameter') {
    const coefficients = Object.entries(memory.sums).map(([name, { covariance, variance }]) => [
      name,
      blend(memory.coefficients[name] ?? AGENT_DEFAULTS.initial, ratio(covariance, variance)),
    ]);
    state.memory = { ...memory, coefficients: Object.fromEntries(coefficients) };
  }
  return estimate;
}

const ratio = (covariance: number, variance: number): Estimate =>
  variance > 0 && Number.isFinite(covariance / variance)
    ? { value: covariance / variance }
    : { value: null, reason: 'the remembered gradients are the same for every batch' };

/**
 * Removes the files of epochs that none of these needs: the last checkpoint, the one before it, and the one that the guard goes
 * back to after a collapse, which may be any number of epochs behind.
 */
async function removeOthers(folder: string, { epoch, guard: collapse }: TrainState, guard?: Guard): Promise<void> {
  const needed = [epoch + 1, epoch, epoch - 1, ...(collapse ? [collapse.safe] : [])].map(fileOf);
  for (const name of await readdir(folder)) {
    if (!needed.includes(name)) await removeFile(join(folder, name), { guard });
  }
}
