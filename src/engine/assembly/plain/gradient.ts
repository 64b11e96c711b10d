// Gradient of the weights of a convolution of plain tensors: for each place of the window the product of inputs and output gradients over
// all outputs; with windows of one pixel, a matrix product with its first side transposed.
//
// A task is (group of images, range of input channels). It goes through its images some positions (about a hundred) at a
// time, which stay in the nearest cache, and adds to its own partial sums:
//
//   b          [panel][position][16 columns]            output gradients; positions: [row][column][image]
//   a          [position][4 input channels]             inputs at one place of the window, only where there are any
//   partials   [group][place of the window][channel][columns rounded up to a panel]
//
// The number of groups depends on shapes alone, and sumPartials adds them in order.
import { storeLanes, thread } from '../shared/common';
import { endOutput, firstOutput } from './places';
import { copyFew, LANES, NARROW, narrowTile, packRow, WIDE, wideTile } from '../shared/tile';

/** Input channels that are packed together. */
const QUAD = 4;

@unmanaged
class FilterGradientPlain {
  x: usize;
  xImage: i32;
  /** from the input of one output row, and column, to that of the next; from one row, and pixel, of the input */
  xRowStep: i32;
  xColumnStep: i32;
  xRow: i32;
  xPixel: i32;
  d: usize;
  batch: i32;
  rows: i32;
  columns: i32;
  inputs: i32;
  outputs: i32;
  /** of the window's rows and columns (places.ts) */
  rowPlaces: usize;
  columnPlaces: usize;
  kernelRows: i32;
  kernelColumns: i32;
  /** images and rows of the positions that are taken at a time */
  blockImages: i32;
  blockRows: i32;
  groups: i32;
  ranges: i32;
  scratch: usize;
  scratchThread: i32;
  partials: usize;
  /** columns rounded up to a panel */
  width: i32;
}

export function filterGradientPlain(task: i32, args: FilterGradientPlain): void {
  const group = task / args.ranges, range = task % args.ranges, quads = (args.inputs + QUAD - 1) / QUAD;
  const firstChannel = range * quads / args.ranges * QUAD;
  const endChannel = min(args.inputs, (range + 1) * quads / args.ranges * QUAD);
  const blocks = (args.batch + args.blockImages - 1) / args.blockImages;
  const firstImage = group * blocks / args.groups * args.blockImages;
  const endImage = min(args.batch, (group + 1) * blocks / args.groups * args.blockImages);
  const taps = args.kernelRows * args.kernelColumns, row = <usize>args.width << 2;
  const partials = args.partials + <usize>(group * taps * args.inputs) * row;
  for (let tap = 0; tap < taps; tap++) {
    memory.fill(partials + <usize>(tap * args.inputs + firstChannel) * row, 0, <usize>(endChannel - firstChannel) * row);
  }
  const b = args.scratch + thread * args.scratchThread;
  for (let image = firstImage; image < endImage; image += args.blockImages) {
    const images = min(args.blockImages, endImage - image);
    for (let h = 0; h < args.rows; h += args.blockRows) {
      const endRow = min(h + args.blockRows, args.rows), positions = (endRow - h) * args.columns * images;
      packGradients(args, b, image, images, h, endRow);
      const a = b + <usize>positions * row, runs = a + ((positions * QUAD) << 2);
      for (let tap = 0; tap < taps; tap++) {
        const end = window(args, tap, runs, images, h, endRow);
        if (end == runs) continue;
        for (let channel = firstChannel; channel < endChannel; channel += QUAD) {
          const channels = min(QUAD, endChannel - channel);
          packInputs(args, a, tap, image, images, h, endRow, channel, channels);
          multiply(args, a, channels, b, positions, runs, end, partials + <usize>(tap * args.inputs + channel) * row);
        }
      }
    }
  }
}

/** The output gradients of some rows of some images as panels. */
function packGradients(args: FilterGradientPlain, b: usize, image: i32, images: i32, h: i32, endRow: i32): void {
  const pixel = args.outputs << 2, row = args.columns * pixel, step = args.rows * row;
  for (let column = 0; column < args.outputs; column += WIDE) {
    const columns = min(WIDE, args.outputs - column);
    for (let r = h; r < endRow; r++) {
      for (let w = 0; w < args.columns; w++) {
        let d = args.d + image * step + r * row + w * pixel + (column << 2);
        for (let i = 0; i < images; i++, d += step) b = packRow(b, d, columns);
      }
    }
  }
}

/** Runs of the positions for which a place of the window lies in the image; returns their end. */
function window(args: FilterGradientPlain, tap: i32, runs: usize, images: i32, h: i32, endRow: i32): usize {
  const columnPlace = args.columnPlaces + 12 * (tap % args.kernelColumns);
  const rowPlace = args.rowPlaces + 12 * (tap / args.kernelColumns);
  const first = firstOutput(columnPlace, 0), end = endOutput(columnPlace, args.columns);
  if (first >= end) return runs;
  const count = (end - first) * images, lastRow = endOutput(rowPlace, endRow);
  let taken = 0;
  for (let r = firstOutput(rowPlace, h); r < lastRow; r++, runs += 12, taken += count) {
    store<i32>(runs, (taken * QUAD) << 2);
    store<i32>(runs, ((r - h) * args.columns + first) * images, 4);
    store<i32>(runs, count, 8);
  }
  return runs;
}

/** Four channels of the inputs at a place of the window, in the order of the runs. */
function packInputs(
  args: FilterGradientPlain, a: usize, tap: i32, image: i32, images: i32, h: i32, endRow: i32, channel: i32, channels: i32,
): void {
  const columnPlace = args.columnPlaces + 12 * (tap % args.kernelColumns);
  const rowPlace = args.rowPlaces + 12 * (tap / args.kernelColumns);
  const first = firstOutput(columnPlace, 0), end = endOutput(columnPlace, args.columns);
  const top = load<i32>(rowPlace), rowSource = load<i32>(rowPlace, 8);
  const columnSource = load<i32>(columnPlace, 8), lastRow = endOutput(rowPlace, endRow);
  for (let r = firstOutput(rowPlace, h); r < lastRow; r++) {
    let x = args.x + image * args.xImage + rowSource * args.xRow + (r - top) * args.xRowStep +
      columnSource * args.xPixel + (channel << 2);
    for (let w = first; w < end; w++, x += args.xColumnStep) {
      let source = x;
      for (let i = 0; i < images; i++, source += args.xImage, a += QUAD << 2) {
        if (channels == QUAD) v128.store(a, v128.load(source));
        else copyFew(a, source, channels);
      }
    }
  }
}

/** Adds the products of up to four channels to their rows of the partial sums. */
function multiply(
  args: FilterGradientPlain, a: usize, channels: i32, b: usize, positions: i32, runs: usize, end: usize, y: usize,
): void {
  const row = args.width << 2, aStep = QUAD << 2;
  for (let column = 0; column < args.width; column += WIDE, b += (positions * WIDE) << 2) {
    const wide = args.width - column > NARROW;
    for (let lane = 0; lane < channels; lane += LANES) {
      const z = y + lane * row + (column << 2), x = a + (lane << 2), next = lane + 1 < channels;
      const aLane = next ? 4 : 0, yStep = next ? row : 0;
      if (wide) wideTile(x, aLane, aStep, b, WIDE << 2, runs, end, z, yStep, z, yStep, false);
      else narrowTile(x, aLane, aStep, b, NARROW << 2, runs, end, z, yStep, z, yStep, false);
    }
  }
}

@unmanaged
class SumPartials {
  partials: usize;
  groups: i32;
  rows: i32;
  width: i32;
  /** of y */
  columns: i32;
  y: usize;
  /** rows of a task */
  chunk: i32;
}

/** Adds the groups' partial sums in order. */
export function sumPartials(task: i32, args: SumPartials): void {
  const end = min((task + 1) * args.chunk, args.rows), step = <usize>(args.rows * args.width) << 2;
  for (let row = task * args.chunk; row < end; row++) {
    let x = args.partials + (<usize>(row * args.width) << 2), y = args.y + (<usize>(row * args.columns) << 2);
    for (let column = 0; column < args.columns; column += 4, x += 16, y += 16) {
      let sum = v128.load(x);
      for (let group = 1; group < args.groups; group++) sum = f32x4.add(sum, v128.load(x + <usize>group * step));
      storeLanes(y, sum, args.columns - column);
    }
  }
}
