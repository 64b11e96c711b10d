// Runs depthwise convolutions of plain tensors and their gradients.
import type { EngineBackend } from '../backend.ts';
import type { Epilogue } from './convolution.ts';
import { sumPartials } from './gradient.ts';
import { type Passage, plain, tiling } from './regions.ts';
import { placesOf, type Windows } from './windows.ts';

/** Groups of images whose weight gradients are summed apart and then added in order. */
const GROUPS = 16;

/** A convolution of each of `channels` by a window of its own; the weights are [rows, columns, channels]. */
export interface DepthwiseConvolution {
  readonly windows: Windows;
  readonly channels: number;
}

/** y = f(bias + x ∗ w), or with `direction` transposed the gradient of the input at x; x, w and y are addresses. */
export function depthwiseConvolve(
  { heap, pool }: EngineBackend,
  { windows, channels }: DepthwiseConvolution,
  direction: 'forward' | 'transposed',
  x: number,
  w: number,
  y: number,
  { bias, relu }: Epilogue = {},
): void {
  const { rows, columns } = windows;
  const input = plain(rows.input, columns.input, channels);
  const output = plain(rows.output, columns.output, channels);
  const [from, to] = direction === 'forward' ? [input, output] : [output, input];
  const passage: Passage = { windows, direction, from, to, depth: 1 };
  const tiles = tiling(passage);
  const last = 4 * channels * (rows.size * columns.size - 1);
  const at = heap.allocate(tiles.bytes);
  try {
    pool.run(tiles.pieces, 'depthwiseConvolve', {
      x,
      xImage: from.image,
      y,
      yImage: to.image,
      w: direction === 'forward' ? w : w + last,
      wStep: direction === 'forward' ? 4 * channels : -4 * channels,
      channels,
      bias: bias ?? 0,
      relu: relu ? 1 : 0,
      ...tiles.write(heap, at),
    });
  } finally {
    heap.free(at);
  }
}

/** y = Σ x · dy for every weight of the windows, [rows, columns, channels]; all are addresses. */
export function depthwiseFilterGradient(
  { heap, pool }: EngineBackend,
  { windows: { batch, rows, columns }, channels }: DepthwiseConvolution,
  x: number,
  d: number,
  y: number,
): void {
  const width = 4 * Math.ceil(channels / 4);
  const taps = rows.size * columns.size;
  const groups = Math.min(batch, GROUPS);
  const places = [...placesOf(rows), ...placesOf(columns)];
  const input = plain(rows.input, columns.input, channels);
  const partials = heap.allocate(4 * groups * taps * width + 4 * places.length);
  try {
    const rowPlaces = partials + 4 * groups * taps * width;
    heap.int32(rowPlaces, places.length).set(places);
    pool.run(groups, 'depthwiseFilterGradient', {
      x,
      xImage: input.image,
      xRowStep: rows.stride * input.row,
      xColumnStep: columns.stride * input.column,
      xRow: input.row,
      d,
      batch,
      rows: rows.output,
      columns: columns.output,
      channels,
      rowPlaces,
      columnPlaces: rowPlaces + 12 * rows.size,
      kernelRows: rows.size,
      kernelColumns: columns.size,
      groups,
      partials,
      width,
    });
    sumPartials(pool, { partials, groups, rows: taps, width, columns: channels, y });
  } finally {
    heap.free(partials);
  }
}
