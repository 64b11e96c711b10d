// Convolution of plain tensors; forward, input gradient and matrix products. An output pixel is a row of a matrix
// product: its window, channel by channel, times the weights. Pieces, regions and runs are those of regions.ts.
//
//   b        [panel][k][16 columns], the last panel perhaps of 8; k: [row of the kernel][column][input channel]
import { thread, zero } from '../shared/common';
import { Piece, Region } from './regions';
import { copyFew, LANES, NARROW, narrowTile, packRow, WIDE, wideTile } from '../shared/tile';

/** Sums of a tile whose columns are not all real, before those that are go to y; 128 bytes a thread. */
const EDGE: usize = memory.data(64 * 128, 16);

@unmanaged
class PackPanels {
  w: usize;
  /** bytes from one tap, channel and column to the next */
  tapStep: i32;
  channelStep: i32;
  columnStep: i32;
  taps: i32;
  channels: i32;
  columns: i32;
  b: usize;
  /** values of k that a task takes; tasks of a panel follow each other */
  chunk: i32;
}

/** Weights as panels of columns, with zeros where the last one has none. */
export function packPanels(task: i32, args: PackPanels): void {
  const depth = args.taps * args.channels, chunks = (depth + args.chunk - 1) / args.chunk;
  const panel = task / chunks, first = (task % chunks) * args.chunk, end = min(first + args.chunk, depth);
  const columns = min(WIDE, args.columns - panel * WIDE), width = columns > NARROW ? WIDE : NARROW;
  const w = args.w + panel * WIDE * args.columnStep;
  let b = args.b + ((<usize>panel * depth * WIDE + first * width) << 2);
  for (let k = first; k < end;) {
    const channel = k % args.channels;
    const from = w + (k / args.channels) * args.tapStep + channel * args.channelStep;
    if (args.columnStep == 4) {
      b = packRow(b, from, columns);
      k++;
    } else {
      const count = min(4, min(end - k, args.channels - channel));
      b = packAcross(b, from, args.columnStep, columns, width, count);
      k += count;
    }
  }
}

/** Up to four rows of a panel whose values for one column are contiguous: as many as there are of a tap's channels. */
function packAcross(b: usize, from: usize, columnStep: i32, columns: i32, width: i32, count: i32): usize {
  const row = width << 2;
  if (columns < width) zero(b, count * row);
  for (let i = 0; i < columns; i++, from += columnStep) {
    const y = b + (i << 2);
    if (count == 4) {
      const v = v128.load(from);
      v128.store_lane<f32>(y, v, 0);
      v128.store_lane<f32>(y + row, v, 1);
      v128.store_lane<f32>(y + 2 * row, v, 2);
      v128.store_lane<f32>(y + 3 * row, v, 3);
    } else {
      for (let k = 0; k < count; k++) store<f32>(y + k * row, load<f32>(from + (k << 2)));
    }
  }
  return b + count * row;
}

@unmanaged
class ConvolvePlain {
  x: usize;
  xImage: i32;
  y: usize;
  yImage: i32;
  b: usize;
  depth: i32;
  columns: i32;
  /** [columns rounded up to a panel] first sums */
  bias: usize;
  relu: i32;
  regions: usize;
  pieces: usize;
  /** tasks that share a piece, each with panels of its own */
  panelGroups: i32;
}

export function convolvePlain(task: i32, args: ConvolvePlain): void {
  const piece = changetype<Piece>(args.pieces + (task / args.panelGroups) * offsetof<Piece>());
  const region = changetype<Region>(args.regions + piece.region * offsetof<Region>());
  const panels = (args.columns + WIDE - 1) / WIDE, group = task % args.panelGroups;
  const end = (group + 1) * panels / args.panelGroups;
  // Two lanes are two columns, or where those do not pair two images, of which there may be more.
  const across = (region.columns & 1) > (piece.images & 1);
  const lanes = across ? piece.images : region.columns, others = across ? region.columns : piece.images;
  const xLane = across ? args.xImage : region.xColumn, yLane = across ? args.yImage : region.yColumn;
  const xOther = across ? region.xColumn : args.xImage, yOther = across ? region.yColumn : args.yImage;
  for (let panel = group * panels / args.panelGroups; panel < end; panel++) {
    for (let row = 0; row < piece.rows; row++) {
      const h = piece.firstRow + row;
      const x = args.x + piece.firstImage * args.xImage + h * region.xRow;
      const y = args.y + piece.firstImage * args.yImage + region.y + h * region.yRow + ((panel * WIDE) << 2);
      for (let other = 0; other < others; other++) {
        plainRow(args, region, panel, lanes, x + other * xOther, xLane, y + other * yOther, yLane);
      }
    }
  }
}

/** One panel's columns of a row of outputs, two at a time. */
function plainRow(
  args: ConvolvePlain, region: Region, panel: i32, lanes: i32, x: usize, xLane: i32, y: usize, yLane: i32,
): void {
  const b = args.b + ((<usize>panel * args.depth * WIDE) << 2), bias = args.bias + ((panel * WIDE) << 2);
  const columns = min(WIDE, args.columns - panel * WIDE), relu = args.relu != 0;
  const runs = region.runs, runsEnd = region.runsEnd;
  for (let lane = 0; lane < lanes; lane += LANES) {
    // A single lane is computed twice.
    const second = lane + 1 < lanes, xStep = second ? xLane : 0, yStep = second ? yLane : 0;
    if (columns == WIDE) {
      wideTile(x, xStep, 4, b, WIDE << 2, runs, runsEnd, bias, 0, y, yStep, relu);
    } else {
      const edge = EDGE + (thread << 7);
      if (columns > NARROW) wideTile(x, xStep, 4, b, WIDE << 2, runs, runsEnd, bias, 0, edge, 64, relu);
      else narrowTile(x, xStep, 4, b, NARROW << 2, runs, runsEnd, bias, 0, edge, 64, relu);
      copyFew(y, edge, columns);
      if (second) copyFew(y + yStep, edge + 64, columns);
    }
    x += LANES * xLane; y += LANES * yLane;
  }
}
