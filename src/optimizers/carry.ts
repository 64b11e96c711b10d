import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { isSparse, mapTree, type Params, type Tensors } from '../core/params.ts';
import { indexMap, type Structure } from '../core/structure.ts';
import type { OptimizerState } from './types.ts';

/** For kernels by name, the index of every nonzero among those of another structure, −1 where that has none. */
export type CarryMaps = Readonly<Record<string, Int32Array>>;

/** Structures never change, so a map between two is made once and kept as long as both live. */
const knownMaps = new WeakMap<Structure, WeakMap<Structure, Int32Array>>();

function mapBetween(from: Structure, to: Structure): Int32Array {
  const fromHere = knownMaps.get(from) ?? new WeakMap<Structure, Int32Array>();
  const map = fromHere.get(to) ?? indexMap(from, to);
  knownMaps.set(from, fromHere.set(to, map));
  return map;
}

/**
 * The maps from the structures of `from` onto those of `to`, for the kernels whose structure is another one; a dense
 * kernel has every weight. Cheap to ask for at every step: the maps of the same two structures are the same arrays.
 */
export const carryMaps = (from: Params, to: Params): CarryMaps =>
  Object.fromEntries(
    Object.entries(to).flatMap(([name, after]) => {
      const before = from[name];
      if (!isSparse(after)) return [];
      if (!isSparse(before)) return [[name, after.structure.positions]];
      return before.structure === after.structure ? [] : [[name, mapBetween(before.structure, after.structure)]];
    }),
  );

/**
 * A tree of tensors over the nonzeros of old structures, carried onto new ones: each weight keeps its entry, and one
 * that the old structure did not have gets 0. So momentum restarts at 0 where a weight was grown, and AGENT does not
 * correct it.
 *
 * @param tree by parameter name; borrowed
 * @returns the whole tree, owned by the caller
 */
export const carry = (tree: Tensors, maps: CarryMaps): Tensors =>
  mapTree((tensor, map: Int32Array | undefined) => (map ? carryTensor(tensor, map) : tf.clone(tensor)), tree, maps);

/** `carry` of every slot of an optimizer's state. */
export const carryState = (state: OptimizerState, maps: CarryMaps): OptimizerState =>
  mapTree((slot) => carry(slot, maps), state);

/** A zero behind the last entry is what the indices −1 fetch. */
const carryTensor = (tensor: Tensor, map: Int32Array): Tensor =>
  tf.tidy(() => {
    const indices = map.map((index) => (index < 0 ? tensor.size : index));
    return tf.gather(tf.concat([tf.reshape(tensor, [-1]), tf.zeros([1])]), tf.tensor1d(indices, 'int32'));
  });
