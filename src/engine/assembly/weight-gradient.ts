// Gradient of a convolution's weights at its nonzeros: sum over images and pixels of x · dy.
//
// A task is (group of images, range of rows). For each tile of dy, held in 8 registers, it goes through the records of a
// row (a slice of the input channels and an output channel, see convolution.ts) and adds to each nonzero's vector of
// partial sums, in scratch memory:
//
//   scratch   [nonzero][4 lanes]                 of this thread, for the rows of the range
//   partials  [image group][nonzero] f32         lanes summed at the end of the task
//
// The number of groups is fixed, and reduceWeightGradient adds them in order.
import { multiplyAdd, part, sumLanes, thread } from './common';

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

export function weightGradient(task: i32, a: usize): void {
  const args = changetype<WeightGradient>(a);
  const group = task / args.ranges, range = args.rangeTable + ((task % args.ranges) << 2);
  const firstRow = load<i32>(range), endRow = load<i32>(range, 4);
  const x = part(args.x, args.xTask, group), d = part(args.d, args.dTask, group);
  const firstBlock = args.taskBlocks ? 0 : group * args.blocks / args.imageGroups;
  const endBlock = args.taskBlocks ? args.taskBlocks : (group + 1) * args.blocks / args.imageGroups;
  const step = (args.groups + 1) << 2;
  const firstRecord = load<u32>(args.pointers + firstRow * step);
  const endRecord = load<u32>(args.pointers + (endRow - 1) * step + (args.groups << 2));
  const scratch = args.scratch + thread * args.scratchThread;
  memory.fill(scratch, 0, (endRecord - firstRecord) << 1);
  for (let block = firstBlock; block < endBlock; block++) {
    for (let h = 0; h < args.rows; h++) {
      for (let row = firstRow; row < endRow; row++) {
        gradientRow(args, x + block * args.xBlock, d + block * args.dBlock, h, row, scratch, firstRecord);
      }
    }
  }
  let sums = scratch, partial = args.partials + ((<usize>group * args.nonzeros) << 2) + (firstRecord >> 1);
  for (let r = firstRecord; r < endRecord; r += 8) {
    store<f32>(partial, sumLanes(v128.load(sums)));
    sums += 16; partial += 4;
  }
}

// @ts-ignore: decorator
@inline
function gradientRow(
  args: WeightGradient, xBlock: usize, dBlock: usize, h: i32, row: i32, scratch: usize, firstRecord: u32,
): void {
  const pointers = args.pointers + row * ((args.groups + 1) << 2);
  const entry = args.rowTable + (<usize>h << 4);
  const from = load<u32>(pointers + (<usize>load<u32>(entry) << 2));
  const to = load<u32>(pointers + (<usize>load<u32>(entry, 4) << 2));
  const sums = scratch + ((from - firstRecord) << 1);
  let x = xBlock + load<i32>(entry, 8);
  let d = dBlock + h * args.dRow + (row % args.channels) * args.dChannel;
  for (let t = 0; t < args.tiles; t++) {
    gradientTile(x, args.records + from, args.records + to, d, sums);
    x += 128; d += 128;
  }
}

function gradientTile(x: usize, e: usize, end: usize, d: usize, sums: usize): void {
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
export function reduceWeightGradient(task: i32, a: usize): void {
  const args = changetype<ReduceWeightGradient>(a);
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
