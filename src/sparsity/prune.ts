// Prunes kernels to given numbers of weights by magnitude.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { copyParam, isKernel, isSparse, type Param, type Params, trainable } from '../core/params.ts';
import { pick, sizeOf } from '../core/structure.ts';
import { checkSparsity, type WeightCounts } from './distributions.ts';
import { magnitudes } from './scores.ts';
import { indicesOfLargest } from './select.ts';
import type { MaskUpdate } from './types.ts';

/**
 * One-shot magnitude pruning: of each kernel named, the largest |w| stay, as many as `counts` says; of equal ones those
 * that come first. A kernel that keeps everything it has stays as it is.
 *
 * @param params dense or sparse; borrowed
 * @param counts as a distribution gives them; kernels not named stay as they are
 * @returns parameters owned by the caller
 * @throws InputError for a count that a kernel does not have, or a name that is no kernel's
 */
export const prune = async (params: Params, counts: WeightCounts): Promise<Params> =>
  (await pruneWeights(params, counts)).params;

/** `prune`, and where each weight that stays was among those before. */
export async function pruneWeights(params: Params, counts: WeightCounts): Promise<MaskUpdate> {
  for (const name of Object.keys(counts)) {
    if (!(name in params && isKernel(name)))
      throw new InputError(`${name} is no kernel of the network; only kernels are pruned.`);
  }
  checkEnoughToPrune(params, counts);
  const pruned: Record<string, Param> = {};
  const carried: Record<string, Int32Array> = {};
  for (const [name, param] of Object.entries(params)) {
    const weights = trainable(param);
    const count = counts[name] ?? weights.size;
    if (!(Number.isInteger(count) && count >= 0)) {
      throw new InputError(`Expected a whole number of weights for the kernel ${name} to keep, got ${count}.`);
    }
    if (count === weights.size) {
      pruned[name] = copyParam(param);
      continue;
    }
    const before = (await weights.data()) as Float32Array;
    const keep = indicesOfLargest(magnitudes(before), count);
    const [shape, positions] = isSparse(param)
      ? [param.structure.shape, pick(param.structure.positions, keep)]
      : [param.shape, keep];
    pruned[name] = { structure: { shape, positions }, values: tf.tensor1d(pick(before, keep)) };
    carried[name] = keep;
  }
  return { params: pruned, carried };
}

/**
 * Checks that each kernel has the weights that it is to keep, or more.
 *
 * @param params dense or sparse; borrowed
 * @throws InputError if one has fewer: pruning takes weights and gives none
 */
export function checkEnoughToPrune(params: Params, final: WeightCounts): void {
  for (const [name, count] of Object.entries(final)) {
    if (!(name in params)) continue;
    const there = trainable(params[name]).size;
    if (!(count > there)) continue;
    const size = sizeOfKernel(params[name]);
    const share = (weights: number) => Number((1 - weights / size).toFixed(4));
    throw new InputError(
      `The kernel ${name} has ${there} of its ${size} weights left, a sparsity of ${share(there)}; pruning adds no weights, so it cannot keep ${count} (${share(count)}). Start from a denser network, end at a higher sparsity, or take another distribution.`,
    );
  }
}

/** The number of entries of a kernel, zeros included. */
export const sizeOfKernel = (param: Param): number => (isSparse(param) ? sizeOf(param.structure.shape) : param.size);

/**
 * The counts of global magnitude pruning: the round((1 − sparsity) · size) largest |w| of all kernels together are counted,
 * kernel by kernel. Each kernel keeps at least its largest weight, so that no layer falls silent.
 *
 * @param sparsity of the whole network, in [0, 1); zeros of sparse kernels included
 * @param dense kernels that keep all they have, within that number
 * @throws InputError if these, and one weight a kernel, are more than the sparsity leaves, or the network has fewer weights
 */
export async function globalMagnitudeCounts(
  params: Params,
  sparsity: number,
  dense: ReadonlySet<string> = new Set(),
): Promise<WeightCounts> {
  checkSparsity(sparsity);
  const kernels = Object.entries(params).filter(([name]) => isKernel(name));
  const scores = await Promise.all(
    kernels.map(async ([name, param]) => {
      const weights = magnitudes((await trainable(param).data()) as Float32Array);
      if (dense.has(name)) return weights.fill(Number.POSITIVE_INFINITY);
      for (const largest of indicesOfLargest(weights, Math.min(1, weights.length))) {
        weights[largest] = Number.POSITIVE_INFINITY;
      }
      return weights;
    }),
  );
  const size = kernels.reduce(
    (sum, [, param]) => sum + (isSparse(param) ? sizeOf(param.structure.shape) : param.size),
    0,
  );
  const pooled = new Float32Array(scores.reduce((sum, weights) => sum + weights.length, 0));
  let offset = 0;
  const ends = scores.map((weights) => {
    pooled.set(weights, offset);
    offset += weights.length;
    return offset;
  });
  const total = Math.round((1 - sparsity) * size);
  if (total > pooled.length) {
    throw new InputError(
      `A sparsity of ${sparsity} asks for ${total} weights, and the network has ${pooled.length} of ${size} left; pruning adds no weights. Start from a denser network, or end at a higher sparsity.`,
    );
  }
  const needed = pooled.reduce((count, score) => count + (score === Number.POSITIVE_INFINITY ? 1 : 0), 0);
  if (total < needed) {
    throw new InputError(
      `A sparsity of ${sparsity} leaves ${total} of ${size} weights, and ${needed} are needed for one weight a kernel${dense.size > 0 ? ` with ${[...dense].join(', ')} dense` : ''}; lower the sparsity.`,
    );
  }
  const counts = kernels.map(() => 0);
  let kernel = 0;
  for (const index of indicesOfLargest(pooled, total)) {
    while (index >= ends[kernel]) kernel++;
    counts[kernel]++;
  }
  return Object.fromEntries(kernels.map(([name], i) => [name, counts[i]]));
}
