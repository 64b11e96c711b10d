// Depthwise convolution of plain tensors: each channel has a window of its own, with weights in [row][column][channel].
// Pieces, regions and runs are those of regions.ts, k counting places of the window.
import { loadLanes, multiplyAdd, positive, storeLanes } from '../shared/common';
import { endOutput, firstOutput } from './places';
import { Piece, Region } from './regions';

@unmanaged
class DepthwiseConvolve {
  x: usize;
  xImage: i32;
  y: usize;
  yImage: i32;
  /** weights at the window's first place, and bytes to the next */
  w: usize;
  wStep: i32;
  channels: i32;
  /** f32 a channel, or 0 */
  bias: usize;
  relu: i32;
  regions: usize;
  pieces: usize;
}

export function depthwiseConvolve(task: i32, args: DepthwiseConvolve): void {
  const piece = changetype<Piece>(args.pieces + task * offsetof<Piece>());
  const region = changetype<Region>(args.regions + piece.region * offsetof<Region>());
  for (let image = piece.firstImage; image < piece.firstImage + piece.images; image++) {
    for (let row = piece.firstRow; row < piece.firstRow + piece.rows; row++) {
      let x = args.x + image * args.xImage + row * region.xRow;
      let y = args.y + image * args.yImage + region.y + row * region.yRow;
      for (let column = 0; column < region.columns; column += 4) {
        depthwiseColumns(args, region, min(4, region.columns - column), x, y);
        x += region.xColumn << 2; y += region.yColumn << 2;
      }
    }
  }
}

/** Up to four columns, all channels. */
function depthwiseColumns(args: DepthwiseConvolve, region: Region, columns: i32, x: usize, y: usize): void {
  const whole = args.channels & ~3, left = args.channels & 3;
  for (let c = 0; c < whole; c += 4) depthwiseVector(args, region, columns, x, y, c, 4);
  if (left) depthwiseVector(args, region, columns, x, y, whole, left);
}

/** Four channels, or the `left` last ones; columns beyond the last repeat it. */
// @ts-ignore: decorator
@inline
function depthwiseVector(
  args: DepthwiseConvolve, region: Region, columns: i32, x: usize, y: usize, c: i32, left: i32,
): void {
  const last = columns - 1, c1 = min(1, last), c2 = min(2, last), c3 = min(3, last), offset = <usize>c << 2;
  const x1 = c1 * region.xColumn, x2 = c2 * region.xColumn, x3 = c3 * region.xColumn;
  const wStep = args.wStep, pixel = args.channels << 2, runsEnd = region.runsEnd;
  let s0 = args.bias ? loadLanes(args.bias + offset, left) : f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let run = region.runs; run < runsEnd; run += 12) {
    let p = x + load<i32>(run) + offset, w = args.w + load<i32>(run, 4) * wStep + offset;
    for (let k = load<i32>(run, 8); k > 0; k--, p += pixel, w += wStep) {
      const weights = loadLanes(w, left);
      s0 = multiplyAdd(s0, weights, loadLanes(p, left));
      s1 = multiplyAdd(s1, weights, loadLanes(p + x1, left));
      s2 = multiplyAdd(s2, weights, loadLanes(p + x2, left));
      s3 = multiplyAdd(s3, weights, loadLanes(p + x3, left));
    }
  }
  if (args.relu) {
    s0 = positive(s0); s1 = positive(s1); s2 = positive(s2); s3 = positive(s3);
  }
  const z = y + offset, yColumn = region.yColumn;
  storeLanes(z, s0, left);
  storeLanes(z + c1 * yColumn, s1, left);
  storeLanes(z + c2 * yColumn, s2, left);
  storeLanes(z + c3 * yColumn, s3, left);
}

@unmanaged
class DepthwiseFilterGradient {
  x: usize;
  xImage: i32;
  xRowStep: i32;
  xColumnStep: i32;
  xRow: i32;
  d: usize;
  batch: i32;
  rows: i32;
  columns: i32;
  channels: i32;
  /** as in gradient.ts */
  rowPlaces: usize;
  columnPlaces: usize;
  kernelRows: i32;
  kernelColumns: i32;
  groups: i32;
  /** [group][place of the window][channels rounded up to four] */
  partials: usize;
  width: i32;
}

/** Sums of x · dy over the outputs of a group of images, for each place of the window and each channel. */
export function depthwiseFilterGradient(task: i32, args: DepthwiseFilterGradient): void {
  const pixel = args.channels << 2;
  const taps = args.kernelRows * args.kernelColumns, bytes = taps * args.width << 2;
  const partials = args.partials + task * bytes;
  memory.fill(partials, 0, bytes);
  const end = (task + 1) * args.batch / args.groups;
  for (let image = task * args.batch / args.groups; image < end; image++) {
    for (let tap = 0; tap < taps; tap++) {
      const rowPlace = args.rowPlaces + 12 * (tap / args.kernelColumns);
      const columnPlace = args.columnPlaces + 12 * (tap % args.kernelColumns);
      const firstRow = firstOutput(rowPlace, 0), endRow = endOutput(rowPlace, args.rows);
      const firstColumn = firstOutput(columnPlace, 0), count = endOutput(columnPlace, args.columns) - firstColumn;
      const x = args.x + image * args.xImage + load<i32>(rowPlace, 8) * args.xRow + load<i32>(columnPlace, 8) * pixel;
      const d = args.d + (image * args.rows * args.columns + firstColumn) * pixel;
      for (let row = firstRow; row < endRow; row++) {
        const xRow = x + (row - firstRow) * args.xRowStep, dRow = d + row * args.columns * pixel;
        depthwiseSums(args, partials + ((tap * args.width) << 2), xRow, dRow, count);
      }
    }
  }
}

function depthwiseSums(args: DepthwiseFilterGradient, sums: usize, x: usize, d: usize, count: i32): void {
  const whole = args.channels & ~3, left = args.channels & 3;
  for (let c = 0; c < whole; c += 4) sumVector(args, sums, x, d, count, c, 4);
  if (left) sumVector(args, sums, x, d, count, whole, left);
}

// @ts-ignore: decorator
@inline
function sumVector(
  args: DepthwiseFilterGradient, sums: usize, x: usize, d: usize, count: i32, c: i32, left: i32,
): void {
  const offset = <usize>c << 2, xStep = args.xColumnStep, pixel = args.channels << 2;
  let p = x + offset, q = d + offset, sum = v128.load(sums + offset);
  for (let i = 0; i < count; i++, p += xStep, q += pixel) {
    sum = multiplyAdd(sum, loadLanes(p, left), loadLanes(q, left));
  }
  v128.store(sums + offset, sum);
}
