// The kernel of `weightedSum`: one job for all tensors of a tree.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { WeightedSum, type WeightedSumAttributes } from '../../ops/weighted-sum.ts';
import type { Heap } from '../runtime/heap.ts';
import { CHUNK, engineKernel } from './kernel.ts';

/** Pieces of tensors as words of the kernel's table, and the first piece of each task and their end. */
interface Work {
  readonly pieces: readonly number[];
  readonly starts: readonly number[];
}

interface Sum {
  readonly y: number;
  readonly length: number;
  /** Addresses of each term's values and map, or 0. */
  readonly terms: readonly { readonly x: number; readonly map: number }[];
}

/** Cuts large tensors and puts small ones together, so that tasks have about CHUNK values each. */
function cut(sums: readonly Sum[]): Work {
  const pieces: number[] = [];
  const starts = [0];
  let [count, filled] = [0, 0];
  for (const { y, length, terms } of sums) {
    for (let from = 0; from < length; from += CHUNK) {
      const size = Math.min(CHUNK, length - from);
      pieces.push(y + 4 * from, size);
      for (const { x, map } of terms) pieces.push(map ? x : x + 4 * from, map ? map + 4 * from : 0);
      count++;
      filled += size;
      if (filled < CHUNK) continue;
      starts.push(count);
      filled = 0;
    }
  }
  if (filled > 0) starts.push(count);
  return { pieces, starts };
}

/** Copies of index maps in the heap, each once. */
function placeMaps(heap: Heap, maps: readonly (Int32Array | null)[]) {
  const places = new Map<Int32Array, number>();
  for (const map of maps) {
    if (map === null || places.has(map)) continue;
    const pointer = heap.allocate(4 * map.length);
    heap.int32(pointer, map.length).set(map);
    places.set(map, pointer);
  }
  return places;
}

export const weightedSum = engineKernel<readonly TensorInfo[], WeightedSumAttributes>(
  WeightedSum,
  ({ inputs, attrs: { weights, shapes, maps }, backend }) => {
    const { heap, pool } = backend;
    const sums = shapes.map((shape) => backend.allocate(shape));
    const places = placeMaps(heap, maps);
    let table = 0;
    try {
      const { pieces, starts } = cut(
        sums.map(({ pointer, shape }, i) => ({
          y: pointer,
          length: sizeOf(shape),
          terms: weights.map((_, term) => {
            const at = term * sums.length + i;
            const map = maps[at];
            return { x: backend.pointer(inputs[at]), map: map ? (places.get(map) as number) : 0 };
          }),
        })),
      );
      table = heap.allocate(4 * (weights.length + starts.length + pieces.length));
      const startsAt = table + 4 * weights.length;
      const piecesAt = startsAt + 4 * starts.length;
      heap.float32(table, weights.length).set(weights);
      heap.int32(startsAt, starts.length).set(starts);
      heap.int32(piecesAt, pieces.length).set(pieces);
      pool.run(starts.length - 1, 'weightedSum', {
        starts: startsAt,
        pieces: piecesAt,
        terms: weights.length,
        weights: table,
      });
    } finally {
      if (table) heap.free(table);
      for (const pointer of places.values()) heap.free(pointer);
    }
    return sums.map(({ pointer: _, ...sum }) => sum);
  },
);
