// Runs the weight gradient of plain convolutions.
import type { EngineBackend } from '../backend.ts';
import type { Fields } from '../records/records.ts';
import type { Pool } from '../runtime/pool.ts';
import type { PlainConvolution } from './convolution.ts';
import { placesOf } from './windows.ts';

/** Outputs that a task goes over at a time, so that what belongs to them stays in the nearest cache. */
const POSITIONS = 128;
/** Groups of images whose gradients are summed apart and then added in order, and the bytes that they may take. */
const GROUPS = 16;
const PARTIAL_BYTES = 16 << 20;
/** Where fewer tasks come of that, each group takes several, for different channels. */
const TASKS = 16;
const QUAD = 4;
/** Values of y that a task sums. */
const SUM_CHUNK = 16384;

/** Columns rounded up to a panel of 16, the last one perhaps of 8 (assembly/shared/tile.ts). */
const panelled = (columns: number): number => Math.ceil(columns / 8) * 8;

/** y = Σ x · dy for every weight of the window, [rows, columns, inputs, outputs]; all are addresses. */
export function filterGradientPlain(
  { heap, pool }: EngineBackend,
  { windows: { batch, rows, columns }, inputs, outputs }: PlainConvolution,
  x: number,
  d: number,
  y: number,
): void {
  const width = panelled(outputs);
  const taps = rows.size * columns.size;
  const area = rows.output * columns.output;
  const blockImages = Math.min(batch, Math.max(1, Math.floor(POSITIONS / area)));
  const blockRows = Math.min(rows.output, Math.max(1, Math.floor(POSITIONS / columns.output)));
  const positions = blockImages * blockRows * columns.output;

  const partialBytes = 4 * taps * inputs * width;
  const blocks = Math.ceil(batch / blockImages);
  const groups = Math.max(1, Math.min(blocks, GROUPS, Math.floor(PARTIAL_BYTES / partialBytes)));
  const ranges = Math.min(Math.ceil(inputs / QUAD), Math.ceil(TASKS / groups));
  const inPlace = groups === 1 && width === outputs;

  const places = [...placesOf(rows), ...placesOf(columns)];
  const scratchThread = Math.ceil((4 * positions * (width + QUAD) + 12 * blockRows) / 128) * 128;
  const partialsBytes = inPlace ? 0 : groups * partialBytes;
  const scratch = heap.allocate(pool.threads * scratchThread + partialsBytes + 4 * places.length);
  try {
    const partials = scratch + pool.threads * scratchThread;
    const rowPlaces = partials + partialsBytes;
    heap.int32(rowPlaces, places.length).set(places);
    const xRow = 4 * columns.input * inputs;
    pool.run(groups * ranges, 'filterGradientPlain', {
      x,
      xImage: rows.input * xRow,
      xRowStep: rows.stride * xRow,
      xColumnStep: columns.stride * 4 * inputs,
      xRow,
      xPixel: 4 * inputs,
      d,
      batch,
      rows: rows.output,
      columns: columns.output,
      inputs,
      outputs,
      rowPlaces,
      columnPlaces: rowPlaces + 12 * rows.size,
      kernelRows: rows.size,
      kernelColumns: columns.size,
      blockImages,
      blockRows,
      groups,
      ranges,
      scratch,
      scratchThread,
      partials: inPlace ? y : partials,
      width,
    });
    if (!inPlace) sumPartials(pool, { partials, groups, rows: taps * inputs, width, columns: outputs, y });
  } finally {
    heap.free(scratch);
  }
}

/** y = the groups' sums, added in order; rows of `width` become rows of `columns`. */
export function sumPartials(pool: Pool, sums: Omit<Fields<'sumPartials'>, 'chunk'>): void {
  const chunk = Math.max(1, Math.floor(SUM_CHUNK / sums.width));
  pool.run(Math.ceil(sums.rows / chunk), 'sumPartials', { ...sums, chunk });
}
