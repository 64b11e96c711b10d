// Gradient of the weights of a convolution of blocks whose kernel has every weight: sum over images and pixels of x · dy.
// full-convolution.ts has the order of k and its tables.
//
// A register tile is 2 values of k by 6 output channels. It goes over some rows of some blocks, whose dy of 6 channels stays
// in the nearest cache while all k meet it, and adds the sums of its lanes to its task's
//
//   partials  [image group][row of the kernel's matrix: kernel row, column, input][output channels rounded up to 6] f32
//
// A task is (group of images, range of output channels). The number of groups depends on shapes alone, and sumPartials adds
// them in order.
import { multiplyAdd, part, sumLanes } from '../shared/common';

/** Output channels of a tile. */
const GROUP = 6;

@unmanaged
class WeightGradientFull {
  x: usize;
  xTask: i32;
  xBlock: i32;
  d: usize;
  dTask: i32;
  dBlock: i32;
  dRow: i32;
  dChannel: i32;
  /** of one group of images, and of all */
  blocks: i32;
  allBlocks: i32;
  rows: i32;
  tiles: i32;
  /** blocks, and rows of them, that a tile goes over */
  chunkBlocks: i32;
  chunkRows: i32;
  outputs: i32;
  ranges: i32;
  depth: i32;
  /** values of k of one row of the kernel */
  perRow: i32;
  offsets: usize;
  sources: usize;
  rowTable: usize;
  partials: usize;
}

export function weightGradientFull(task: i32, args: WeightGradientFull): void {
  const imageGroup = task / args.ranges, range = task % args.ranges;
  const groups = (args.outputs + GROUP - 1) / GROUP;
  const firstGroup = range * groups / args.ranges, endGroup = (range + 1) * groups / args.ranges;
  const x = part(args.x, args.xTask, imageGroup), d = part(args.d, args.dTask, imageGroup);
  const blocks = min(args.blocks, args.allBlocks - imageGroup * args.blocks);
  const partials = args.partials + (<usize>(imageGroup * args.depth) * <usize>(groups * GROUP) << 2);
  for (let block = 0; block < blocks; block += args.chunkBlocks) {
    const endBlock = min(block + args.chunkBlocks, blocks);
    for (let h = 0; h < args.rows; h += args.chunkRows) {
      const endRow = min(h + args.chunkRows, args.rows);
      for (let group = firstGroup; group < endGroup; group++) {
        chunk(args, x, d, block, endBlock, h, endRow, group, groups, partials);
      }
    }
  }
}

/** All k of up to six output channels. Two values of k belong to one row of the kernel, or the second is the first again. */
function chunk(
  args: WeightGradientFull, x: usize, d: usize, block: i32, endBlock: i32, h: i32, endRow: i32, group: i32, groups: i32,
  partials: usize,
): void {
  const isFirst = block == 0 && h == 0, width = <usize>(groups * GROUP) << 2, matrixRow = args.outputs << 2;
  const channel = group * GROUP, last = min(GROUP, args.outputs - channel) - 1;
  const from = d + channel * args.dChannel, sums = partials + (<usize>channel << 2);
  for (let k = 0; k < args.depth; k += 2) {
    const second = k % args.perRow + 1 < args.perRow ? k + 1 : k;
    const source0 = load<i32>(args.sources + (<usize>k << 2)), source1 = load<i32>(args.sources + (<usize>second << 2));
    const sums0 = sums + <usize>(source0 / matrixRow) * width, sums1 = sums + <usize>(source1 / matrixRow) * width;
    tile(args, x, from, block, endBlock, h, endRow, k, second, last, sums0, second > k ? sums1 : 0, isFirst);
    if (second == k) k--;
  }
}

/** `sums1`: 0 where there is no second k. Channels after the last one are computed like it; their sums are in no column of y. */
function tile(
  args: WeightGradientFull, x: usize, d: usize, block: i32, endBlock: i32, firstRow: i32, endRow: i32, k: i32, second: i32,
  last: i32, sums0: usize, sums1: usize, isFirst: bool,
): void {
  const step = args.dChannel, offset0 = load<i32>(args.offsets + (<usize>k << 2));
  const between = load<i32>(args.offsets + (<usize>second << 2)) - offset0;
  const d1 = min(1, last) * step, d2 = min(2, last) * step, d3 = min(3, last) * step, d4 = min(4, last) * step;
  const d5 = min(5, last) * step;
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
  let b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
  for (; block < endBlock; block++) {
    for (let h = firstRow; h < endRow; h++) {
      const entry = args.rowTable + (<usize>h << 4);
      if (k < load<i32>(entry) || k >= load<i32>(entry, 4)) continue;
      let p = d + block * args.dBlock + h * args.dRow;
      let q = x + block * args.xBlock + load<i32>(entry, 8) + offset0;
      for (const end = p + (args.tiles << 7); p < end; p += 16, q += 16) {
        const x0 = v128.load(q), x1 = v128.load(q + between);
        const v0 = v128.load(p);
        a0 = multiplyAdd(a0, v0, x0); b0 = multiplyAdd(b0, v0, x1);
        const v1 = v128.load(p + d1);
        a1 = multiplyAdd(a1, v1, x0); b1 = multiplyAdd(b1, v1, x1);
        const v2 = v128.load(p + d2);
        a2 = multiplyAdd(a2, v2, x0); b2 = multiplyAdd(b2, v2, x1);
        const v3 = v128.load(p + d3);
        a3 = multiplyAdd(a3, v3, x0); b3 = multiplyAdd(b3, v3, x1);
        const v4 = v128.load(p + d4);
        a4 = multiplyAdd(a4, v4, x0); b4 = multiplyAdd(b4, v4, x1);
        const v5 = v128.load(p + d5);
        a5 = multiplyAdd(a5, v5, x0); b5 = multiplyAdd(b5, v5, x1);
      }
    }
  }
  addSums(sums0, a0, a1, a2, a3, a4, a5, isFirst);
  if (sums1) addSums(sums1, b0, b1, b2, b3, b4, b5, isFirst);
}

// @ts-ignore: decorator
@inline
function addSums(to: usize, v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, isFirst: bool): void {
  if (isFirst) {
    store<f32>(to, 0); store<f32>(to, 0, 4); store<f32>(to, 0, 8);
    store<f32>(to, 0, 12); store<f32>(to, 0, 16); store<f32>(to, 0, 20);
  }
  store<f32>(to, load<f32>(to) + sumLanes(v0));
  store<f32>(to, load<f32>(to, 4) + sumLanes(v1), 4);
  store<f32>(to, load<f32>(to, 8) + sumLanes(v2), 8);
  store<f32>(to, load<f32>(to, 12) + sumLanes(v3), 12);
  store<f32>(to, load<f32>(to, 16) + sumLanes(v4), 16);
  store<f32>(to, load<f32>(to, 20) + sumLanes(v5), 20);
}
