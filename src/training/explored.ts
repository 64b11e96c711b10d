// Keeps track of the weights that were ever active, for the exploration rate of a sparse training.
import { isSparse, type Params } from '../core/params.ts';
import { sizeOf } from '../core/structure.ts';

/** The weights that were ever active, by sparse kernel: one bit for each weight, least significant bit first. */
export type Explored = Readonly<Record<string, Uint8Array>>;

/** `explored` with the weights that are active in `params`, and all those of kernels that were dense `before`. */
export const explore = (explored: Explored, params: Params, before: Params = {}): Explored =>
  Object.fromEntries(
    Object.entries(params).flatMap(([name, param]) => {
      if (!isSparse(param)) return [];
      const { shape, positions } = param.structure;
      const size = sizeOf(shape);
      const bits = explored[name]?.slice() ?? new Uint8Array(Math.ceil(size / 8));
      const wasDense = name in before && !isSparse(before[name]);
      if (wasDense) for (let position = 0; position < size; position++) bits[position >> 3] |= 1 << (position & 7);
      for (let i = 0; i < positions.length; i++) bits[positions[i] >> 3] |= 1 << (positions[i] & 7);
      return [[name, bits]];
    }),
  );

function bitCount(byte: number): number {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
}

/**
 * Rs, the share of the sparse kernels' weights that were ever active (Liu et al. 2021, https://arxiv.org/abs/2102.02887);
 * null if no kernel is sparse.
 */
export function explorationRate(explored: Explored, params: Params): number | null {
  let active = 0;
  let size = 0;
  for (const [name, param] of Object.entries(params)) {
    if (!isSparse(param)) continue;
    size += sizeOf(param.structure.shape);
    for (const byte of explored[name] ?? []) active += bitCount(byte);
  }
  return size === 0 ? null : active / size;
}
