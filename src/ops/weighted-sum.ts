// Weighted sums of whole trees of tensors, in one op: what optimizers compute.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import type { Tensors } from '../core/params.ts';
import { runKernelOr } from './kernel.ts';

/** The kernel's name; a backend that registers it replaces the plain definition below. */
export const WeightedSum = 'WeightedSum';

/**
 * Maps by tensor name: for every entry of the new tensor its index among the entries of the old one, or −1 for 0. The new
 * tensor has rank 1.
 */
export type IndexMaps = Readonly<Record<string, Int32Array>>;

/** A tree of tensors times a number; those that a map is given for are first brought to new places. */
export type Term = readonly [weight: number, tree: Tensors, maps?: IndexMaps];

/** Inputs are the tensors of the first term, then those of the second, …, each in the order of the sums. */
export interface WeightedSumAttributes {
  /** One a term. */
  readonly weights: readonly number[];
  /** One a sum. */
  readonly shapes: readonly (readonly number[])[];
  /** The map of each input, or null if its entries stay where they are. */
  readonly maps: readonly (Int32Array | null)[];
}

/**
 * The sum of whole trees of tensors, such as all gradients of a network, in one op: y = a·x + b·z + …, from the left, for
 * each name of the first. It has no gradient.
 *
 * @param terms float32 trees that have all names of the first one, with as many entries each; borrowed
 * @returns a tree owned by the caller, in the shapes of the first term
 * @throws InputError if a tensor is missing or has another number of entries or type
 */
export function weightedSum(...terms: readonly [Term, ...Term[]]): Record<string, Tensor> {
  const names = Object.keys(terms[0][1]);
  if (names.length === 0) return {};
  const shapes = names.map((name) => shapeOf(terms[0], name));
  const inputs: Tensor[] = [];
  const maps: (Int32Array | null)[] = [];
  for (const [, tree, map] of terms) {
    for (const [i, name] of names.entries()) {
      check(name, tree[name], map?.[name], shapes[i]);
      inputs.push(tree[name]);
      maps.push(map?.[name] ?? null);
    }
  }
  const attributes: WeightedSumAttributes = { weights: terms.map(([weight]) => weight), shapes, maps };
  const sums = runKernelOr<Tensor[], WeightedSumAttributes, Tensor[]>(WeightedSum, plain, inputs, attributes);
  return Object.fromEntries(names.map((name, i) => [name, sums[i]]));
}

const shapeOf = ([, tree, maps]: Term, name: string): readonly number[] =>
  maps?.[name] ? [maps[name].length] : tree[name].shape;

function check(name: string, tensor: Tensor | undefined, map: Int32Array | undefined, shape: readonly number[]): void {
  const entries = map ? map.length : tensor?.size;
  const wanted = shape.reduce((size, extent) => size * extent, 1);
  if (tensor?.dtype === 'float32' && entries === wanted) return;
  throw new InputError(
    `Every tree of a weighted sum must have ${wanted} float32 entries of ${name}, got ${tensor ? `${entries} of ${tensor.dtype}` : 'none'}.`,
  );
}

/** The definition by other ops; inputs and sums are as the kernel's. */
function plain(inputs: readonly Tensor[], { weights, shapes, maps }: WeightedSumAttributes): Tensor[] {
  return shapes.map((shape, i) => {
    const terms = weights.map((weight, term) => {
      const at = term * shapes.length + i;
      const map = maps[at];
      const x = tf.reshape(map ? taken(inputs[at], map) : inputs[at], [...shape]);
      return weight === 1 ? x : tf.mul(x, weight);
    });
    return tf.clone(terms.reduce((sum, term) => tf.add(sum, term)));
  });
}

/** A zero behind the last entry is what the indices −1 fetch. */
function taken(tensor: Tensor, map: Int32Array): Tensor {
  const indices = map.map((index) => (index < 0 ? tensor.size : index));
  return tf.gather(tf.concat([tf.reshape(tensor, [-1]), tf.zeros([1])]), tf.tensor1d(indices, 'int32'));
}
