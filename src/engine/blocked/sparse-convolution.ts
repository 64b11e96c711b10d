// Fills sparse rows with weights, and runs the weight gradient of a sparse convolution.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { EngineBackend } from '../backend.ts';
import type { Geometry } from '../layout/layout.ts';
import type { Compiled, WeightKey } from './rows.ts';

/** Records that one task of a fill or reduction takes. */
const RECORD_CHUNK = 32768;
/** Records whose partial sums one task of a weight gradient keeps in cache, and the bytes of each for a tile. */
const RANGE_RECORDS = 16384;
const BYTES_PER_SUM = 16;
/** Groups of images whose weight gradients are summed apart and then added in order. */
const IMAGE_GROUPS = 8;

/** A kernel's values, and what multiplies each output channel's weights. */
export interface Weights {
  readonly values: TensorInfo;
  /** Address of f32 factors, and the tensors that they were made of. */
  readonly scale?: { readonly pointer: number; readonly key: WeightKey };
}

/** Writes the weights into the records, unless they are there already. */
export function fillWeights(
  backend: EngineBackend,
  compiled: Compiled,
  { values, scale }: Weights,
  transposed: boolean,
): void {
  const { pool } = backend;
  const key: WeightKey = [values.dataId, ...(scale?.key ?? [])];
  const { forward } = compiled;
  if (compiled.nonzeros === 0) return;
  if (!compiled.hasForward(key)) {
    const rows = forward.slices * forward.channels;
    const chunk = Math.max(1, Math.ceil((rows * RECORD_CHUNK) / compiled.nonzeros));
    pool.run(Math.ceil(rows / chunk), 'fillRows', {
      ...forward,
      rows,
      chunk,
      values: backend.pointer(values),
      scale: scale?.pointer ?? 0,
    });
    compiled.forwardKey = key;
  }
  if (transposed && !compiled.hasTransposed(key)) {
    const { records, permutation } = compiled.transposed;
    pool.run(Math.ceil(compiled.nonzeros / RECORD_CHUNK), 'fillTransposed', {
      records,
      permutation,
      source: forward.records,
      length: compiled.nonzeros,
      chunk: RECORD_CHUNK,
    });
    compiled.transposedKey = key;
  }
}

/** First row of each range, so that a range's partial sums stay in cache. */
function rowRanges(starts: Int32Array): number[] {
  const rows = starts.length - 1;
  const ranges = [0];
  for (let row = 1; row < rows; row++) {
    const records = starts[row + 1] - starts[ranges[ranges.length - 1]];
    if (records > RANGE_RECORDS) ranges.push(row);
  }
  ranges.push(rows);
  return ranges;
}

/** Writes Σ x · dy of every nonzero to `y`, in the structure's order. x and d: addresses of all blocks of the batch. */
export function weightGradient(
  { heap, pool, tiles }: Pick<EngineBackend, 'heap' | 'pool' | 'tiles'>,
  compiled: Compiled,
  geometry: Geometry,
  images: number,
  x: number,
  d: number,
  y: number,
): void {
  const { nonzeros, forward, rowStarts } = compiled;
  if (nonzeros === 0) return;
  const blocks = images / geometry.y.nb;
  const imageGroups = Math.min(IMAGE_GROUPS, blocks);
  const ranges = rowRanges(rowStarts);
  let scratchThread = 0;
  for (let i = 1; i < ranges.length; i++) {
    scratchThread = Math.max(scratchThread, tiles * BYTES_PER_SUM * (rowStarts[ranges[i]] - rowStarts[ranges[i - 1]]));
  }
  scratchThread = Math.ceil(scratchThread / 128) * 128;
  const base = heap.allocate(pool.threads * scratchThread + 4 * imageGroups * nonzeros + 4 * ranges.length);
  try {
    const partials = base + pool.threads * scratchThread;
    const rangeTable = partials + 4 * imageGroups * nonzeros;
    heap.int32(rangeTable, ranges.length).set(ranges);
    pool.run(imageGroups * (ranges.length - 1), 'weightGradient', {
      x,
      xTask: 0,
      xBlock: geometry.x.block,
      d,
      dTask: 0,
      dBlock: geometry.y.block,
      dRow: geometry.y.row,
      dChannel: geometry.y.channel,
      blocks,
      taskBlocks: 0,
      imageGroups,
      rows: geometry.y.height,
      tiles: geometry.y.tiles,
      ranges: ranges.length - 1,
      rangeTable,
      channels: forward.channels,
      groups: forward.groups,
      pointers: forward.pointers,
      records: forward.records,
      rowTable: forward.rowTable,
      scratch: base,
      scratchThread,
      partials,
      nonzeros,
    });
    addPartials({ pool }, compiled, partials, imageGroups, y);
  } finally {
    heap.free(base);
  }
}

/** Adds the partial gradients of groups of images in order, and writes them to `y` in the structure's order. */
export function addPartials(
  { pool }: Pick<EngineBackend, 'pool'>,
  { nonzeros, forward }: Compiled,
  partials: number,
  imageGroups: number,
  y: number,
): void {
  pool.run(Math.ceil(nonzeros / RECORD_CHUNK), 'reduceWeightGradient', {
    partials,
    imageGroups,
    nonzeros,
    chunk: RECORD_CHUNK,
    permutation: forward.permutation,
    y,
  });
}

/** Addresses of a weight gradient that tasks compute in parts; `base` is what to free. */
export interface PartialGradients {
  readonly base: number;
  readonly partials: number;
  readonly scratch: number;
  readonly scratchThread: number;
  readonly rangeTable: number;
}

/** Room for the sums of `tasks` tasks, each of which takes all rows. */
export function allocatePartials(
  { heap, pool: { threads }, tiles }: Pick<EngineBackend, 'heap' | 'pool' | 'tiles'>,
  compiled: Compiled,
  tasks: number,
): PartialGradients {
  const { nonzeros, forward } = compiled;
  const scratchThread = Math.ceil((tiles * BYTES_PER_SUM * nonzeros) / 128) * 128;
  const base = heap.allocate(threads * scratchThread + 4 * tasks * nonzeros + 8);
  const partials = base + threads * scratchThread;
  const rangeTable = partials + 4 * tasks * nonzeros;
  heap.int32(rangeTable, 2).set([0, forward.slices * forward.channels]);
  return { base, partials, scratch: base, scratchThread, rangeTable };
}

/** Nonzeros of a kernel whose sums stay in the second-level cache beside a task's activations. */
const LIGHT = 32768;

/** True if a kernel's gradient should be computed task by task. */
export const isLight = (nonzeros: number): boolean => nonzeros <= LIGHT;
