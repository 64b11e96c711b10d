// Vectors over the nonzeros of one structure, carried onto another.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { isSparse, mapTree, type Params, type Tensors } from '../core/params.ts';
import { indexMap, type Structure } from '../core/structure.ts';
import { type IndexMaps, weightedSum } from '../ops/weighted-sum.ts';
import type { OptimizerState } from './types.ts';

/** Maps by kernel name: for every nonzero its index among those of another structure, or −1 if that structure has none there. */
export type CarryMaps = IndexMaps;

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
export const carryMaps = (from: Params, to: Params): CarryMaps => mapsBetween(structuresOf(from), structuresOf(to));

/** The structures of the sparse kernels by name; a dense one has none. */
export type Structures = Readonly<Record<string, Structure>>;

export const structuresOf = (params: Params): Structures =>
  Object.fromEntries(Object.entries(params).flatMap(([name, p]) => (isSparse(p) ? [[name, p.structure]] : [])));

/** `carryMaps` where only the structures are known. */
export const mapsBetween = (from: Structures, to: Structures): CarryMaps =>
  Object.fromEntries(
    Object.entries(to).flatMap(([name, after]) => {
      const before = from[name];
      if (before === undefined) return [[name, after.positions]];
      return before === after ? [] : [[name, mapBetween(before, after)]];
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
export const carry = (tree: Tensors, maps: CarryMaps): Tensors => {
  const moving = Object.fromEntries(Object.entries(tree).filter(([name]) => name in maps));
  const moved: Tensors = weightedSum([1, moving, maps]);
  return mapTree((tensor, there: Tensor | undefined) => there ?? tf.clone(tensor), tree, moved);
};

/** `carry` of every slot of an optimizer's state. */
export const carryState = (state: OptimizerState, maps: CarryMaps): OptimizerState =>
  mapTree((slot) => carry(slot, maps), state);
