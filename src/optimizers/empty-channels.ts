// Output channels of kernels without weights: batch norm behind one multiplies its gradient by 1/√ε.
import { isKernel, type Params, structureOf, trainable } from '../core/params.ts';
import type { Structure } from '../core/structure.ts';
import type { CarryMaps } from './carry.ts';

/** A channel is empty if none of its weights is larger. Its outputs then vary far less than batch norm's √ε ≈ 0.003. */
export const EMPTY_BELOW = 1e-6;

/**
 * The entries of a kernel that belong to an empty output channel, one whose stored weights are all 0, ascending. Output channels
 * are the last axis of a kernel. A channel is empty when all its weights were dropped and new ones have just been grown at 0.
 *
 * @param values at the nonzeros of the structure
 */
export function emptyEntries({ shape, positions }: Structure, values: ArrayLike<number>): Int32Array {
  const channels = shape[shape.length - 1];
  const filled = new Uint8Array(channels);
  for (let i = 0; i < positions.length; i++) {
    if (Math.abs(values[i]) > EMPTY_BELOW) filled[positions[i] % channels] = 1;
  }
  const entries: number[] = [];
  for (let i = 0; i < positions.length; i++) if (filled[positions[i] % channels] === 0) entries.push(i);
  return Int32Array.from(entries);
}

/** The entries in empty channels of every kernel that has any, by name. */
export async function emptyEntriesOf(params: Params): Promise<Readonly<Record<string, Int32Array>>> {
  const found: Record<string, Int32Array> = {};
  for (const [name, param] of Object.entries(params)) {
    if (!isKernel(name)) continue;
    const entries = emptyEntries(structureOf(param), await trainable(param).data());
    if (entries.length > 0) found[name] = entries;
  }
  return found;
}

/**
 * Maps that leave out entries of the snapshot: the weights there are then not corrected, as if they had been grown since.
 *
 * @param maps from the snapshot's structures onto those of `params`
 * @param left entries of the snapshot, ascending, by kernel
 */
export function withoutEntries(maps: CarryMaps, left: Readonly<Record<string, Int32Array>>, params: Params): CarryMaps {
  const masked = Object.entries(left).map(([name, entries]): [string, Int32Array] => {
    const out = new Set(entries);
    const map = maps[name] ?? Int32Array.from({ length: trainable(params[name]).size }, (_, i) => i);
    return [name, map.map((index) => (out.has(index) ? -1 : index))];
  });
  return { ...maps, ...Object.fromEntries(masked) };
}
