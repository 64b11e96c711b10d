// Copies activations between layouts: plain tensors (one image a "block"), blocks of 4 to 32 images, and the planes of
// strided convolutions (columns of equal remainder, each plane a set of channels of its own).
//
//   image n    block n / nb, lane n % nb
//   column w   of plane q, index j:  w = planes · j + q
//
// Four channels of four images change between [image][channel] and [channel][image] in registers. They are taken in tiles
// of 16 channels by 8 columns, so that each cache line of the plain tensor is used whole while it is in the cache:
//
//   plain    image 0   |c0|c1|c2|c3| … c15|      blocks    channel 0   |n0|n1|n2|n3|  next column …
//            image 1   |c0|c1|c2|c3|                       channel 1   |n0|n1|n2|n3|
import { part, zero } from '../shared/common';

@unmanaged
class Repack {
  x: usize;
  xTask: i32;
  xNb: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  xPixel: i32;
  xPlane: i32;
  y: usize;
  yTask: i32;
  yNb: i32;
  yBlock: i32;
  yRow: i32;
  yChannel: i32;
  yPixel: i32;
  yPlane: i32;
  /** images a task */
  images: i32;
  /** images that x holds, zero beyond, and that y has room for, dropped beyond */
  xImages: i32;
  yImages: i32;
  rows: i32;
  channels: i32;
  width: i32;
  planes: i32;
  /** 1: x has only the first plane of every `planes`-th row of y, which is zero elsewhere and lies in blocks */
  spread: i32;
  /** columns that are written in each plane of the output, or in all planes together; zeros after the last real one */
  columns: i32;
  interleaved: i32;
  /** zero bytes before the output */
  pad: i32;
}

const TILE_CHANNELS: i32 = 16;
const TILE_COLUMNS: i32 = 8;

export function repack(task: i32, args: Repack): void {
  const x0 = part(args.x, args.xTask, task), y0 = part(args.y, args.yTask, task);
  const first = task * args.images;
  const held = args.xImages - first, images = min(args.images, args.yImages - first);
  const xBlocked = args.xNb > 1, yBlocked = args.yNb > 1;
  if (args.pad) zero(y0 - args.pad, args.pad);
  for (let h = 0; h < args.rows; h++) {
    const xRow = x0 + (args.spread ? h / args.planes : h) * args.xRow, yRow = y0 + h * args.yRow;
    for (let q = 0; q < args.planes; q++) {
      const lacking = args.spread && (q || h % args.planes);
      const count = (args.width - q + args.planes - 1) / args.planes;
      const columns = args.interleaved ? (args.columns - q + args.planes - 1) / args.planes : args.columns;
      for (let n = 0; n < images; n += 4) {
        const x = xRow + (n / args.xNb) * args.xBlock + ((n % args.xNb) << 2) + q * args.xPlane;
        const y = yRow + (n / args.yNb) * args.yBlock + ((n % args.yNb) << 2) + q * args.yPlane;
        if (!yBlocked) blocksToPlain(args, x, y, count, min(4, images - n));
        else {
          const copied = n < held && !lacking ? count : 0;
          if (xBlocked) blocksToBlocks(args, x, y, copied);
          else if (copied) plainToBlocks(args, x, y, copied, min(4, held - n));
          for (let c = 0; c < args.channels; c++) {
            let to = y + c * args.yChannel + copied * args.yPixel;
            for (let j = copied; j < columns; j++, to += args.yPixel) v128.store(to, f32x4.splat(0));
          }
        }
      }
    }
  }
}

/** Four images of `count` columns. */
function blocksToBlocks(args: Repack, x: usize, y: usize, count: i32): void {
  const xPixel = args.xPixel, yPixel = args.yPixel;
  for (let c = 0; c < args.channels; c++) {
    let from = x + c * args.xChannel, to = y + c * args.yChannel;
    for (let j = 0; j < count; j++, from += xPixel, to += yPixel) v128.store(to, v128.load(from));
  }
}

/** Writes four rows of four values, `fromStep` bytes apart, as columns, `toStep` bytes apart. */
// @ts-ignore: decorator
@inline
function transpose(from: usize, fromStep: i32, to: usize, toStep: i32): void {
  const v0 = v128.load(from), v1 = v128.load(from + fromStep);
  const v2 = v128.load(from + 2 * fromStep), v3 = v128.load(from + 3 * fromStep);
  const a = v128.shuffle<i32>(v0, v1, 0, 4, 1, 5), b = v128.shuffle<i32>(v2, v3, 0, 4, 1, 5);
  const d = v128.shuffle<i32>(v0, v1, 2, 6, 3, 7), e = v128.shuffle<i32>(v2, v3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(a, b, 0, 2));
  v128.store(to + toStep, v128.shuffle<i64>(a, b, 1, 3));
  v128.store(to + 2 * toStep, v128.shuffle<i64>(d, e, 0, 2));
  v128.store(to + 3 * toStep, v128.shuffle<i64>(d, e, 1, 3));
}

/** Up to four images of `count` columns, the others zero. */
function plainToBlocks(args: Repack, x: usize, y: usize, count: i32, images: i32): void {
  const image = args.xBlock, xPixel = args.xPixel, yPixel = args.yPixel, yChannel = args.yChannel;
  const bulk = images == 4 && args.xChannel == 4 ? args.channels & ~3 : 0;
  for (let j0 = 0; j0 < count; j0 += TILE_COLUMNS) {
    const j1 = min(j0 + TILE_COLUMNS, count);
    for (let tile = 0; tile < bulk; tile += TILE_CHANNELS) {
      const end = min(tile + TILE_CHANNELS, bulk);
      for (let c = tile; c < end; c += 4) {
        let from = x + (c << 2) + j0 * xPixel, to = y + c * yChannel + j0 * yPixel;
        for (let j = j0; j < j1; j++, from += xPixel, to += yPixel) {
          transpose(from, image, to, yChannel);
        }
      }
    }
  }
  for (let c = bulk; c < args.channels; c++) {
    let from = x + c * args.xChannel, to = y + c * yChannel;
    for (let j = 0; j < count; j++, from += xPixel, to += yPixel) {
      v128.store(to, f32x4.splat(0));
      for (let i = 0; i < images; i++) store<f32>(to + (i << 2), load<f32>(from + i * image));
    }
  }
}

/** Up to four images of `count` columns. */
function blocksToPlain(args: Repack, x: usize, y: usize, count: i32, images: i32): void {
  const image = args.yBlock, xPixel = args.xPixel, yPixel = args.yPixel, xChannel = args.xChannel;
  const bulk = images == 4 && args.yChannel == 4 ? args.channels & ~3 : 0;
  for (let j0 = 0; j0 < count; j0 += TILE_COLUMNS) {
    const j1 = min(j0 + TILE_COLUMNS, count);
    for (let tile = 0; tile < bulk; tile += TILE_CHANNELS) {
      const end = min(tile + TILE_CHANNELS, bulk);
      for (let c = tile; c < end; c += 4) {
        let from = x + c * xChannel + j0 * xPixel, to = y + (c << 2) + j0 * yPixel;
        for (let j = j0; j < j1; j++, from += xPixel, to += yPixel) {
          transpose(from, xChannel, to, image);
        }
      }
    }
  }
  for (let c = bulk; c < args.channels; c++) {
    let from = x + c * xChannel, to = y + c * args.yChannel;
    for (let j = 0; j < count; j++, from += xPixel, to += yPixel) {
      for (let i = 0; i < images; i++) store<f32>(to + i * image, load<f32>(from + (i << 2)));
    }
  }
}
