// Depthwise convolution of plain tensors: each channel has a window of its own, with weights in [row][column][channel].
// Pieces, regions and runs are those of regions.ts, k counting places of the window.
import { loadLanes, multiplyAdd, positive, storeLanes } from './common';
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

export function depthwiseConvolve(task: i32, p: usize): void {
  const args = changetype<DepthwiseConvolve>(p);
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

/** Up to four columns, all channels; columns beyond the last repeat it. */
function depthwiseColumns(args: DepthwiseConvolve, region: Region, columns: i32, x: usize, y: usize): void {
  const last = columns - 1, c1 = min(1, last), c2 = min(2, last), c3 = min(3, last);
  const xColumn = region.xColumn, yColumn = region.yColumn, wStep = args.wStep;
  const channels = args.channels, pixel = channels << 2;
  for (let c = 0; c < channels; c += 4) {
    const left = channels - c, offset = <usize>c << 2;
    let s0 = args.bias ? loadLanes(args.bias + offset, left) : f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let run = region.runs; run < region.runsEnd; run += 12) {
      let x0 = x + load<i32>(run) + offset, w = args.w + load<i32>(run, 4) * wStep + offset;
      for (let k = load<i32>(run, 8); k > 0; k--, x0 += pixel, w += wStep) {
        const weights = loadLanes(w, left);
        s0 = multiplyAdd(s0, weights, loadLanes(x0, left));
        s1 = multiplyAdd(s1, weights, loadLanes(x0 + c1 * xColumn, left));
        s2 = multiplyAdd(s2, weights, loadLanes(x0 + c2 * xColumn, left));
        s3 = multiplyAdd(s3, weights, loadLanes(x0 + c3 * xColumn, left));
      }
    }
    if (args.relu) {
      s0 = positive(s0); s1 = positive(s1); s2 = positive(s2); s3 = positive(s3);
    }
    const z = y + offset;
    storeLanes(z, s0, left);
    storeLanes(z + c1 * yColumn, s1, left);
    storeLanes(z + c2 * yColumn, s2, left);
    storeLanes(z + c3 * yColumn, s3, left);
  }
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
  /** as in dense-gradient.ts */
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
export function depthwiseFilterGradient(task: i32, p: usize): void {
  const args = changetype<DepthwiseFilterGradient>(p), pixel = args.channels << 2;
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
  const channels = args.channels, pixel = channels << 2, xStep = args.xColumnStep;
  for (let c = 0; c < channels; c += 4) {
    const left = channels - c, at = sums + (c << 2);
    let p = x + (c << 2), q = d + (c << 2), sum = v128.load(at);
    for (let i = 0; i < count; i++, p += xStep, q += pixel) {
      sum = multiplyAdd(sum, loadLanes(p, left), loadLanes(q, left));
    }
    v128.store(at, sum);
  }
}
