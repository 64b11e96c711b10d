// Gradient of a convolution's weights at its nonzeros: sum over images and pixels of x · dy.
//
// A task is (group of images, range of rows). It goes through the records of a row (a slice of the input channels and an
// output channel, see sparse-convolution.ts) for one band of the image after another, so that x stays in cache: some tiles of some
// rows that the same rows of the kernel meet. Two ways:
//
//   strips   eight nonzeros at a time, their sums in registers, over all tiles of the band: a vector of dy serves eight of x
//   tiles    one tile of dy in 8 registers, over all nonzeros of the row: better where a row of the image has one tile
//
// Each nonzero's sums, a vector or in the build of wide tiles a pair of them, are in scratch memory:
//
//   scratch   [nonzero][4 or 8 lanes]            of this thread, for the rows of the range
//   partials  [image group][nonzero] f32         lanes summed at the end of the task
//
// The number of groups is fixed, and reduceWeightGradient adds them in order.
import { endOfRows, multiplyAdd, part, sumLanes, thread, touch } from '../shared/common';

/** Bytes of one nonzero's sums. */
const SUM = WIDE ? 32 : 16;
/** Bytes of dy that a turn of a strip's loop takes: two vectors, 128 or 256 bits wide. With more, registers run out. */
const STEP = WIDE ? 64 : 32;
/** Rows and tiles of a band at most. */
const BAND_ROWS = 4;
const BAND_TILES = 4;
/** With more ranges than these, each reads only a small part of x, which is not worth touching in order. */
const TOUCHING_RANGES = 2;

@unmanaged
class WeightGradient {
  x: usize;
  xTask: i32;
  xBlock: i32;
  d: usize;
  dTask: i32;
  dBlock: i32;
  dRow: i32;
  dChannel: i32;
  blocks: i32;
  /** blocks of a task's own part of x and d, which is a group; 0: groups are cut from all `blocks` */
  taskBlocks: i32;
  imageGroups: i32;
  rows: i32;
  tiles: i32;
  ranges: i32;
  /** [ranges + 1] first row of each range */
  rangeTable: usize;
  channels: i32;
  groups: i32;
  pointers: usize;
  records: usize;
  rowTable: usize;
  scratch: usize;
  scratchThread: i32;
  partials: usize;
  nonzeros: i32;
}

export function weightGradient(task: i32, args: WeightGradient): void {
  const group = task / args.ranges, range = args.rangeTable + ((task % args.ranges) << 2);
  const firstRow = load<i32>(range), endRow = load<i32>(range, 4);
  const firstBlock = args.taskBlocks ? 0 : group * args.blocks / args.imageGroups;
  const endBlock = args.taskBlocks ? args.taskBlocks : (group + 1) * args.blocks / args.imageGroups;
  const step = (args.groups + 1) << 2;
  const firstRecord = load<u32>(args.pointers + firstRow * step);
  const endRecord = load<u32>(args.pointers + (endRow - 1) * step + (args.groups << 2));
  const scratch = args.scratch + thread * args.scratchThread;
  const rows = args.rows, tiles = args.tiles;
  // A task's own part was written just before, and is in cache.
  const touching = args.taskBlocks == 0 && args.ranges <= TOUCHING_RANGES;
  memory.fill(scratch, 0, ((endRecord - firstRecord) >> 3) * SUM);
  for (let block = firstBlock; block < endBlock; block++) {
    const x = part(args.x, args.xTask, group) + block * args.xBlock;
    const d = part(args.d, args.dTask, group) + block * args.dBlock;
    let touchedEnd = 0;
    for (let h = 0, next = 0; h < rows; h = next) {
      const entry = args.rowTable + (<usize>h << 4);
      next = endOfBand(entry, h, min(h + BAND_ROWS, rows));
      if (touching) {
        const seen = endOfRows(entry + ((next - h - 1) << 4), next < rows, args.groups, args.xBlock);
        if (seen > touchedEnd) touch(x + touchedEnd, seen - touchedEnd);
        touch(d + h * args.dRow, (next - h) * args.dRow);
        touchedEnd = max(touchedEnd, seen);
      }
      for (let t = 0; t < tiles; t += BAND_TILES) {
        const count = min(BAND_TILES, tiles - t);
        gradientBand(
          args, firstRow, endRow, entry, next - h, count, x + load<i32>(entry, 8) + (t << 7), d + h * args.dRow + (t << 7),
          scratch, firstRecord,
        );
      }
    }
  }
  let sums = scratch, partial = args.partials + ((<usize>group * args.nonzeros) << 2) + (firstRecord >> 1);
  for (let r = firstRecord; r < endRecord; r += 8) {
    const sum = v128.load(sums);
    store<f32>(partial, sumLanes(WIDE ? f32x4.add(sum, v128.load(sums, 16)) : sum));
    sums += SUM; partial += 4;
  }
}

/** The first row after `h`, before `end`, that other rows of the kernel meet. */
function endOfBand(entry: usize, h: i32, end: i32): i32 {
  const groups = load<u64>(entry);
  do {
    h++; entry += 16;
  } while (h < end && load<u64>(entry) == groups);
  return h;
}

/** Adds what some tiles of some rows of the image give to the sums of all records that meet them. */
// @ts-ignore: decorator
@inline
function gradientBand(
  args: WeightGradient, firstRow: i32, endRow: i32, entry: usize, rows: i32, tiles: i32, x: usize, d: usize,
  scratch: usize, firstRecord: u32,
): void {
  const step = (args.groups + 1) << 2, channels = args.channels;
  const first = <usize>load<u32>(entry) << 2, end = <usize>load<u32>(entry, 4) << 2;
  const xSkip = (rows > 1 ? load<i32>(entry, 24) - load<i32>(entry, 8) : 0) - (tiles << 7);
  const dSkip = args.dRow - (tiles << 7);
  let pointers = args.pointers + firstRow * step;
  let channel = firstRow % channels;
  for (let row = firstRow; row < endRow; row++, pointers += step) {
    const from = load<u32>(pointers + first), to = load<u32>(pointers + end);
    let sums = scratch + ((from - firstRecord) >> 3) * SUM;
    const dy = d + channel * args.dChannel, last = args.records + to;
    if (!WIDE && tiles == 1) {
      for (let h = 0; h < rows; h++) tile(x + h * (xSkip + 128), args.records + from, last, dy + h * args.dRow, sums);
    } else {
      let e = args.records + from;
      for (; e + 64 <= last; e += 64, sums += 8 * SUM) eight(x, e, dy, sums, rows, tiles, xSkip, dSkip);
      switch (<i32>(last - e) >> 3) {
        case 1: one(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
        case 2: two(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
        case 3: three(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
        case 4: four(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
        case 5: five(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
        case 6: six(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
        case 7: seven(x, e, dy, sums, rows, tiles, xSkip, dSkip); break;
      }
    }
    channel++;
    if (channel == channels) channel = 0;
  }
}

/** Adds a row's tile to the sums of nonzeros in memory, dy in registers. */
function tile(x: usize, e: usize, end: usize, d: usize, sums: usize): void {
  const d0 = v128.load(d), d1 = v128.load(d, 16), d2 = v128.load(d, 32), d3 = v128.load(d, 48);
  const d4 = v128.load(d, 64), d5 = v128.load(d, 80), d6 = v128.load(d, 96), d7 = v128.load(d, 112);
  while (e < end) {
    const s = x + <usize>load<u32>(e);
    let p = f32x4.mul(d0, v128.load(s));
    let q = f32x4.mul(d1, v128.load(s, 16));
    p = multiplyAdd(p, d2, v128.load(s, 32));
    q = multiplyAdd(q, d3, v128.load(s, 48));
    if (!RELAXED && s == 0) { // never
      p = d0; q = d1;
    }
    p = multiplyAdd(p, d4, v128.load(s, 64));
    q = multiplyAdd(q, d5, v128.load(s, 80));
    p = multiplyAdd(p, d6, v128.load(s, 96));
    q = multiplyAdd(q, d7, v128.load(s, 112));
    v128.store(sums, f32x4.add(v128.load(sums), f32x4.add(p, q)));
    e += 8; sums += 16;
  }
}

function one(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(1, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function two(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(2, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function three(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(3, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function four(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(4, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function five(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(5, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function six(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(6, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function seven(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(7, x, e, d, sums, rows, tiles, xSkip, dSkip);
}
function eight(x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32): void {
  strip(8, x, e, d, sums, rows, tiles, xSkip, dSkip);
}

/**
 * Goes over tiles of dy with the sums of `n` nonzeros in registers: one vector each, or two by turns where there is room,
 * since a sum waits for the one before it.
 *
 * @param xSkip from the end of the tiles of one row to those of the next; `dSkip` likewise
 */
// @ts-ignore: decorator
@inline
function strip(
  n: i32, x: usize, e: usize, d: usize, sums: usize, rows: i32, tiles: i32, xSkip: i32, dSkip: i32,
): void {
  const pairs: bool = WIDE || n <= 5;
  let s0 = x + <usize>load<u32>(e), a0 = v128.load(sums), b0 = WIDE ? v128.load(sums, 16) : f32x4.splat(0);
  let s1 = n > 1 ? x + <usize>load<u32>(e, 8) : 0;
  let a1 = n <= 1 ? a0 : WIDE ? v128.load(sums, 32) : v128.load(sums, 16), b1 = n <= 1 || !WIDE ? b0 : v128.load(sums, 48);
  let s2 = n > 2 ? x + <usize>load<u32>(e, 16) : 0;
  let a2 = n <= 2 ? a0 : WIDE ? v128.load(sums, 64) : v128.load(sums, 32), b2 = n <= 2 || !WIDE ? b0 : v128.load(sums, 80);
  let s3 = n > 3 ? x + <usize>load<u32>(e, 24) : 0;
  let a3 = n <= 3 ? a0 : WIDE ? v128.load(sums, 96) : v128.load(sums, 48), b3 = n <= 3 || !WIDE ? b0 : v128.load(sums, 112);
  let s4 = n > 4 ? x + <usize>load<u32>(e, 32) : 0;
  let a4 = n <= 4 ? a0 : WIDE ? v128.load(sums, 128) : v128.load(sums, 64), b4 = n <= 4 || !WIDE ? b0 : v128.load(sums, 144);
  let s5 = n > 5 ? x + <usize>load<u32>(e, 40) : 0;
  let a5 = n <= 5 ? a0 : WIDE ? v128.load(sums, 160) : v128.load(sums, 80), b5 = n <= 5 || !WIDE ? b0 : v128.load(sums, 176);
  let s6 = n > 6 ? x + <usize>load<u32>(e, 48) : 0;
  let a6 = n <= 6 ? a0 : WIDE ? v128.load(sums, 192) : v128.load(sums, 96), b6 = n <= 6 || !WIDE ? b0 : v128.load(sums, 208);
  let s7 = n > 7 ? x + <usize>load<u32>(e, 56) : 0;
  let a7 = n <= 7 ? a0 : WIDE ? v128.load(sums, 224) : v128.load(sums, 112), b7 = n <= 7 || !WIDE ? b0 : v128.load(sums, 240);
  for (let h = rows; h > 0; h--) {
    for (const end = d + (<usize>tiles << 7); d < end; d += STEP) {
      const d0 = v128.load(d), d1 = v128.load(d, 16);
      const d2 = WIDE ? v128.load(d, 32) : d0, d3 = WIDE ? v128.load(d, 48) : d1;
      a0 = multiplyAdd(a0, d0, v128.load(s0));
      if (pairs) b0 = multiplyAdd(b0, d1, v128.load(s0, 16));
      else a0 = multiplyAdd(a0, d1, v128.load(s0, 16));
      if (WIDE) {
        a0 = multiplyAdd(a0, d2, v128.load(s0, 32));
        b0 = multiplyAdd(b0, d3, v128.load(s0, 48));
      }
      s0 += STEP;
      if (n > 1) {
        a1 = multiplyAdd(a1, d0, v128.load(s1));
        if (pairs) b1 = multiplyAdd(b1, d1, v128.load(s1, 16));
        else a1 = multiplyAdd(a1, d1, v128.load(s1, 16));
        if (WIDE) {
          a1 = multiplyAdd(a1, d2, v128.load(s1, 32));
          b1 = multiplyAdd(b1, d3, v128.load(s1, 48));
        }
        s1 += STEP;
      }
      if (n > 2) {
        a2 = multiplyAdd(a2, d0, v128.load(s2));
        if (pairs) b2 = multiplyAdd(b2, d1, v128.load(s2, 16));
        else a2 = multiplyAdd(a2, d1, v128.load(s2, 16));
        if (WIDE) {
          a2 = multiplyAdd(a2, d2, v128.load(s2, 32));
          b2 = multiplyAdd(b2, d3, v128.load(s2, 48));
        }
        s2 += STEP;
      }
      if (n > 3) {
        a3 = multiplyAdd(a3, d0, v128.load(s3));
        if (pairs) b3 = multiplyAdd(b3, d1, v128.load(s3, 16));
        else a3 = multiplyAdd(a3, d1, v128.load(s3, 16));
        if (WIDE) {
          a3 = multiplyAdd(a3, d2, v128.load(s3, 32));
          b3 = multiplyAdd(b3, d3, v128.load(s3, 48));
        }
        s3 += STEP;
      }
      if (!RELAXED && n > 4 && s0 == 0) a0 = d0; // never
      if (n > 4) {
        a4 = multiplyAdd(a4, d0, v128.load(s4));
        if (pairs) b4 = multiplyAdd(b4, d1, v128.load(s4, 16));
        else a4 = multiplyAdd(a4, d1, v128.load(s4, 16));
        if (WIDE) {
          a4 = multiplyAdd(a4, d2, v128.load(s4, 32));
          b4 = multiplyAdd(b4, d3, v128.load(s4, 48));
        }
        s4 += STEP;
      }
      if (n > 5) {
        a5 = multiplyAdd(a5, d0, v128.load(s5));
        if (pairs) b5 = multiplyAdd(b5, d1, v128.load(s5, 16));
        else a5 = multiplyAdd(a5, d1, v128.load(s5, 16));
        if (WIDE) {
          a5 = multiplyAdd(a5, d2, v128.load(s5, 32));
          b5 = multiplyAdd(b5, d3, v128.load(s5, 48));
        }
        s5 += STEP;
      }
      if (n > 6) {
        a6 = multiplyAdd(a6, d0, v128.load(s6));
        if (pairs) b6 = multiplyAdd(b6, d1, v128.load(s6, 16));
        else a6 = multiplyAdd(a6, d1, v128.load(s6, 16));
        if (WIDE) {
          a6 = multiplyAdd(a6, d2, v128.load(s6, 32));
          b6 = multiplyAdd(b6, d3, v128.load(s6, 48));
        }
        s6 += STEP;
      }
      if (n > 7) {
        a7 = multiplyAdd(a7, d0, v128.load(s7));
        if (pairs) b7 = multiplyAdd(b7, d1, v128.load(s7, 16));
        else a7 = multiplyAdd(a7, d1, v128.load(s7, 16));
        if (WIDE) {
          a7 = multiplyAdd(a7, d2, v128.load(s7, 32));
          b7 = multiplyAdd(b7, d3, v128.load(s7, 48));
        }
        s7 += STEP;
      }
    }
    d += dSkip;
    s0 += xSkip;
    if (n > 1) s1 += xSkip;
    if (n > 2) s2 += xSkip;
    if (n > 3) s3 += xSkip;
    if (n > 4) s4 += xSkip;
    if (n > 5) s5 += xSkip;
    if (n > 6) s6 += xSkip;
    if (n > 7) s7 += xSkip;
  }
  v128.store(sums, WIDE ? a0 : pairs ? f32x4.add(a0, b0) : a0);
  if (WIDE) v128.store(sums, b0, 16);
  if (n > 1) {
    if (WIDE) {
      v128.store(sums, a1, 32);
      v128.store(sums, b1, 48);
    } else {
      v128.store(sums, pairs ? f32x4.add(a1, b1) : a1, 16);
    }
  }
  if (n > 2) {
    if (WIDE) {
      v128.store(sums, a2, 64);
      v128.store(sums, b2, 80);
    } else {
      v128.store(sums, pairs ? f32x4.add(a2, b2) : a2, 32);
    }
  }
  if (n > 3) {
    if (WIDE) {
      v128.store(sums, a3, 96);
      v128.store(sums, b3, 112);
    } else {
      v128.store(sums, pairs ? f32x4.add(a3, b3) : a3, 48);
    }
  }
  if (n > 4) {
    if (WIDE) {
      v128.store(sums, a4, 128);
      v128.store(sums, b4, 144);
    } else {
      v128.store(sums, pairs ? f32x4.add(a4, b4) : a4, 64);
    }
  }
  if (n > 5) {
    if (WIDE) {
      v128.store(sums, a5, 160);
      v128.store(sums, b5, 176);
    } else {
      v128.store(sums, pairs ? f32x4.add(a5, b5) : a5, 80);
    }
  }
  if (n > 6) {
    if (WIDE) {
      v128.store(sums, a6, 192);
      v128.store(sums, b6, 208);
    } else {
      v128.store(sums, pairs ? f32x4.add(a6, b6) : a6, 96);
    }
  }
  if (n > 7) {
    if (WIDE) {
      v128.store(sums, a7, 224);
      v128.store(sums, b7, 240);
    } else {
      v128.store(sums, pairs ? f32x4.add(a7, b7) : a7, 112);
    }
  }
}

@unmanaged
class ReduceWeightGradient {
  partials: usize;
  imageGroups: i32;
  nonzeros: i32;
  chunk: i32;
  /** u32 a record: which value it holds */
  permutation: usize;
  y: usize;
}

/** Adds the image groups' partial sums in order and puts them in the structure's order. */
export function reduceWeightGradient(task: i32, args: ReduceWeightGradient): void {
  const end = min((task + 1) * args.chunk, args.nonzeros), step = <usize>args.nonzeros << 2;
  let i = task * args.chunk;
  for (; i + 4 <= end; i += 4) {
    let p = args.partials + (<usize>i << 2), sum = v128.load(p);
    for (let group = 1; group < args.imageGroups; group++) {
      p += step;
      sum = f32x4.add(sum, v128.load(p));
    }
    const to = args.permutation + (<usize>i << 2);
    v128.store_lane<f32>(args.y + (<usize>load<u32>(to) << 2), sum, 0);
    v128.store_lane<f32>(args.y + (<usize>load<u32>(to, 4) << 2), sum, 1);
    v128.store_lane<f32>(args.y + (<usize>load<u32>(to, 8) << 2), sum, 2);
    v128.store_lane<f32>(args.y + (<usize>load<u32>(to, 12) << 2), sum, 3);
  }
  for (; i < end; i++) {
    let p = args.partials + (<usize>i << 2), sum = load<f32>(p);
    for (let group = 1; group < args.imageGroups; group++) {
      p += step;
      sum += load<f32>(p);
    }
    store<f32>(args.y + (<usize>load<u32>(args.permutation + (<usize>i << 2)) << 2), sum);
  }
}
