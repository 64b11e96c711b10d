// The exponential moving average of a network's weights and batch-norm statistics over the steps of training, and how it
// follows a change of masks. It is no gradient transformation: training never reads it.

import { cloneTensors, disposeTensors, type Params, type Tensors, trainables } from '../core/params.ts';
import { weightedSum } from '../ops/weighted-sum.ts';
import { type CarryMaps, carry } from './carry.ts';

/** A network's parameters and batch-norm statistics. */
interface Network {
  readonly params: Params;
  readonly state: Tensors;
}

/** An averaged network, on the structures of the network that it averages. It owns its tensors. */
export interface Average {
  /** The averages by parameter; those of a sparse kernel are of its nonzeros. */
  readonly params: Tensors;
  /** Running statistics of batch norm. */
  readonly state: Tensors;
}

/**
 * The decay of one update: min(decay, (1 + step) / (10 + step)), as TensorFlow's ExponentialMovingAverage has it.
 *
 * A decay of 0.999 from the start would leave 37 % of the initial weights in the average of 1,000 steps. The rising
 * decay averages over about the last tenth of a short training, and needs no correction for each weight, so a weight
 * that was grown late is treated like any other.
 *
 * @param decay in (0, 1)
 * @param step the updates done before this one
 */
export const averageDecay = (decay: number, step: number): number => Math.min(decay, (1 + step) / (10 + step));

/** The average of a network that has not been trained: a copy of it, owned by the caller. */
export const startAverage = ({ params, state }: Network): Average => ({
  params: cloneTensors(trainables(params)),
  state: cloneTensors(state),
});

/**
 * decay · average + (1 − decay) · network, for weights and statistics; owned by the caller.
 *
 * @param average on the structures of `network`; borrowed
 * @param network after a step; borrowed
 */
export const updateAverage = (average: Average, { params, state }: Network, decay: number): Average => ({
  params: weightedSum([decay, average.params], [1 - decay, trainables(params)]),
  state: weightedSum([decay, average.state], [1 - decay, state]),
});

/**
 * The average after a mask update: a weight that stays keeps its average, and that of a grown weight starts at its value.
 *
 * @param average borrowed
 * @param params the network after the mask update; borrowed
 * @param maps what the mask update carried: for each rewired kernel the old index of every nonzero, −1 where it was grown
 * @returns owned by the caller
 */
export function carryAverage({ params: averages, state }: Average, params: Params, maps: CarryMaps): Average {
  const carried = carry(averages, maps);
  const rewired = pick(carried, maps);
  const values = pick(trainables(params), maps);
  const grown = Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, indicesOfGrown(map)]));
  const whole = weightedSum([1, rewired], [1, values, grown]);
  disposeTensors(rewired);
  return { params: { ...carried, ...whole }, state: cloneTensors(state) };
}

const pick = (tree: Tensors, names: Readonly<Record<string, unknown>>): Tensors =>
  Object.fromEntries(Object.keys(names).map((name) => [name, tree[name]]));

/** A map that keeps grown weights alone: for each nonzero its own index if it was grown, else −1, which stands for 0. */
const indicesOfGrown = (map: Int32Array): Int32Array => map.map((before, index) => (before < 0 ? index : -1));

/** Frees an average's tensors. */
export function disposeAverage({ params, state }: Average): void {
  disposeTensors(params);
  disposeTensors(state);
}
