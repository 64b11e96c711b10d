// The weight gradient of a convolution of blocks for all weights of its kernel.
import type { EngineBackend } from '../backend.ts';
import type { Geometry } from '../layout/layout.ts';
import { sumPartials } from '../plain/gradient.ts';
import type { Pool } from '../runtime/pool.ts';
import type { FullKernel } from './full-convolution.ts';

/** Vectors of each channel that a register tile goes over: enough to hide that its sums are stored. */
const VECTORS = 128;
/** Output channels of a tile. */
const GROUP = 6;
/** Groups of images whose gradients are summed apart and then added in order, and the bytes that they may take. */
const IMAGE_GROUPS = 8;
const PARTIAL_BYTES = 16 << 20;
/** Where fewer tasks come of that, each group takes several, for different channels. */
const TASKS = 16;

/** How a task goes over its blocks. */
function chunks({ y: { height, tiles } }: Geometry) {
  const chunkRows = Math.min(height, Math.ceil(VECTORS / (8 * tiles)));
  const chunkBlocks = chunkRows < height ? 1 : Math.ceil(VECTORS / (8 * tiles * height));
  return { chunkRows, chunkBlocks };
}

/** Columns of the partial sums. */
const widthOf = ({ outputs }: Geometry): number => Math.ceil(outputs / GROUP) * GROUP;

/** Bytes of the partial sums of so many groups of images; the last vector that is read of them may end later. */
export function partialBytes(geometry: Geometry, groups: number): number {
  const [height, width] = geometry.kernel;
  return 4 * groups * height * width * geometry.inputs * widthOf(geometry) + SLACK;
}
const SLACK = 16;

/** The fields that depend on shapes alone. */
export function gradientFields(geometry: Geometry) {
  const { kernel, x, y, inputs, outputs } = geometry;
  const perRow = kernel[1] * inputs;
  return {
    xBlock: x.block,
    dBlock: y.block,
    dRow: y.row,
    dChannel: y.channel,
    rows: y.height,
    tiles: y.tiles,
    ...chunks(geometry),
    outputs,
    depth: kernel[0] * perRow,
    perRow,
  };
}

/** Writes Σ x · dy of every weight to `y`. x and d: addresses of all blocks of the batch. */
export function fullWeightGradient(
  { heap, pool }: EngineBackend,
  kernel: FullKernel,
  geometry: Geometry,
  images: number,
  x: number,
  d: number,
  y: number,
): void {
  const { offsets, sources, rowTable } = kernel.tables('forward');
  const { outputs } = geometry;
  const allBlocks = images / geometry.y.nb;
  const most = Math.max(1, Math.min(IMAGE_GROUPS, Math.floor(PARTIAL_BYTES / partialBytes(geometry, 1))));
  const blocks = Math.ceil(allBlocks / most);
  const groups = Math.ceil(allBlocks / blocks);
  const ranges = Math.min(Math.ceil(outputs / GROUP), Math.ceil(TASKS / groups));
  const inPlace = groups === 1 && widthOf(geometry) === outputs;
  const partials = inPlace ? y : heap.allocate(partialBytes(geometry, groups));
  try {
    pool.run(groups * ranges, 'weightGradientFull', {
      ...gradientFields(geometry),
      offsets,
      sources,
      rowTable,
      x,
      xTask: blocks * geometry.x.block,
      d,
      dTask: blocks * geometry.y.block,
      blocks,
      allBlocks,
      ranges,
      partials,
    });
    if (!inPlace) addPartialSums(pool, geometry, partials, groups, y);
  } finally {
    if (!inPlace) heap.free(partials);
  }
}

/** Adds the partial sums of groups of images in order. */
export function addPartialSums(pool: Pool, geometry: Geometry, partials: number, groups: number, y: number): void {
  const { kernel, inputs, outputs } = geometry;
  const rows = kernel[0] * kernel[1] * inputs;
  sumPartials(pool, { partials, groups, rows, width: widthOf(geometry), columns: outputs, y });
}
