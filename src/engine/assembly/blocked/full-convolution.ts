// Convolution of blocks with a kernel that has every weight; forward and input gradient. sparse-convolution.ts has the picture
// of a block, what its rows and tiles are, and what becomes of the sums.
//
// Output channels share what they read of x: a register tile is 2 vectors of 6 channels; where a plane has at most 3
// channels, as in the gradient of images, 2 vectors of those. The weights of such a group of channels lie together:
//
//   panels    [plane][group][k][6 or 3 channels] f32                  zeros where the last group has fewer channels
//   offsets   [plane][k] u32                                          from an output to what weight k is multiplied with
//   rowTable  [plane][row][first k | end k | input offset | 0]        offset of the row's first input row from the block
//
// k goes over the rows of the kernel, then the channels of x, then the kernel's columns. Planes are those of a strided
// convolution's input, whose gradients meet different columns of the kernel; else there is one.
import { addRow, ChannelSums, startSums } from './channel-sums';
import { keepBits, keptLanes, multiplyAdd, part, positive, zero } from '../shared/common';

/** Channels of a group, and of the one of a plane that has no more. */
const GROUP = 6;
const FEW = 3;

@unmanaged
class ConvolveFull extends ChannelSums {
  x: usize;
  xTask: i32;
  xBlock: i32;
  y: usize;
  yTask: i32;
  yBlock: i32;
  blocks: i32;
  rows: i32;
  tiles: i32;
  channels: i32;
  yRow: i32;
  yChannel: i32;
  pad: i32;
  planes: i32;
  /** values of k in a plane */
  depth: i32;
  panels: usize;
  offsets: usize;
  rowTable: usize;
  /** f32 a channel, or a zero */
  bias: usize;
  /** 4, or 0 where one zero serves all channels */
  biasStep: i32;
  /** blocks like y that are added before the epilogue, possibly y itself; or 0 */
  add: usize;
  addTask: i32;
  /** 0: none; 1: ReLU, its signs written to `bits` unless that is 0; 2: kept where `bits` are set */
  epilogue: i32;
  bits: usize;
  bitsTask: i32;
  /** 1: all rows of a group of channels before the next group */
  groupMajor: i32;
}

export function convolveFull(task: i32, args: ConvolveFull): void {
  const groups = groupsOf(args);
  zero(part(args.y, args.yTask, task) - args.pad, args.pad);
  if (args.groupMajor) {
    for (let group = 0; group < groups; group++) convolveGroups(args, task, group, group + 1);
  } else {
    convolveGroups(args, task, 0, groups);
  }
}

// @ts-ignore: decorator
@inline
function widthOf(args: ConvolveFull): i32 {
  return args.channels / args.planes > FEW ? GROUP : FEW;
}

// @ts-ignore: decorator
@inline
function groupsOf(args: ConvolveFull): i32 {
  const width = widthOf(args);
  return (args.channels / args.planes + width - 1) / width;
}

/** Some groups of each plane's channels. The last ones complete a row: its padding and its channels' sums follow. */
function convolveGroups(args: ConvolveFull, task: i32, firstGroup: i32, endGroup: i32): void {
  const width = widthOf(args), groups = groupsOf(args), perPlane = args.channels / args.planes, tiles = args.tiles;
  const panel = <usize>(args.depth * width) << 2;
  const x = part(args.x, args.xTask, task), y = part(args.y, args.yTask, task);
  const add = args.add ? part(args.add, args.addTask, task) - y : 0;
  const sums = endGroup == groups ? startSums(args, task, args.channels) : 0;
  let bits = part(args.bits, args.bitsTask, task);
  for (let block = 0; block < args.blocks; block++) {
    for (let h = 0; h < args.rows; h++, bits += (args.channels * tiles) << 2) {
      const yRow = y + block * args.yBlock + h * args.yRow;
      for (let plane = 0; plane < args.planes; plane++) {
        const entry = args.rowTable + (<usize>(plane * args.rows + h) << 4);
        const first = load<i32>(entry), offsets = args.offsets + (<usize>(plane * args.depth) << 2);
        const from = offsets + (<usize>first << 2), end = offsets + (<usize>load<i32>(entry, 4) << 2);
        const panels = args.panels + <usize>(plane * groups) * panel + <usize>((first * width) << 2);
        const source = x + block * args.xBlock + load<i32>(entry, 8);
        for (let group = firstGroup; group < endGroup; group++) {
          const channel = plane * perPlane + group * width, last = min(width, perPlane - group * width) - 1;
          const target = yRow + channel * args.yChannel, signs = bits + ((channel * tiles) << 2);
          const weights = panels + <usize>group * panel;
          if (width == GROUP) wideRow(args, source, from, end, weights, target, channel, last, add, signs);
          else narrowRow(args, source, from, end, weights, target, channel, last, add, signs);
        }
      }
      if (endGroup < groups) continue;
      if (args.pad) for (let c = 0; c < args.channels; c++) zero(yRow + c * args.yChannel + (tiles << 7), args.pad);
      if (args.sums) {
        addRow(args, sums, task, block, args.blocks, yRow, yRow - y, args.channels, args.yChannel, tiles);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function plus(v: v128, p: usize): v128 {
  return f32x4.add(v, v128.load(p));
}

/** The epilogue of two vectors of a channel, whose signs are a byte. */
// @ts-ignore: decorator
@inline
function finish(args: ConvolveFull, v0: v128, v1: v128, y: usize, bits: usize): void {
  const epilogue = args.epilogue;
  if (epilogue == 1) {
    if (args.bits) store<u8>(bits, keptLanes(v0) | (keptLanes(v1) << 4));
    v0 = positive(v0); v1 = positive(v1);
  } else if (epilogue == 2) {
    const signs = v128.load_splat<u8>(bits);
    v0 = keepBits(v0, signs, 0); v1 = keepBits(v1, signs, 1);
  }
  v128.store(y, v0);
  v128.store(y, v1, 16);
}

// A group's channels after the last one of their plane have weights 0. They are computed in place of that one and written
// before it, so that nothing is left of them.

/** A row of up to six channels, two vectors, a and b, at a time. `add`: from y to what is added, where something is. */
function wideRow(
  args: ConvolveFull, x: usize, from: usize, end: usize, weights: usize, y: usize, channel: i32, last: i32, add: usize,
  bits: usize,
): void {
  const n1 = min(1, last), n2 = min(2, last), n3 = min(3, last), n4 = min(4, last), n5 = min(5, last);
  const step = args.yChannel, signs = args.tiles << 2, biasStep = args.biasStep, bias = args.bias + channel * biasStep;
  for (const rowEnd = y + (args.tiles << 7); y < rowEnd; x += 32, y += 32, bits++) {
    let a0 = v128.load_splat<f32>(bias), a1 = v128.load_splat<f32>(bias + n1 * biasStep);
    let a2 = v128.load_splat<f32>(bias + n2 * biasStep), a3 = v128.load_splat<f32>(bias + n3 * biasStep);
    let a4 = v128.load_splat<f32>(bias + n4 * biasStep), a5 = v128.load_splat<f32>(bias + n5 * biasStep);
    let b0 = a0, b1 = a1, b2 = a2, b3 = a3, b4 = a4, b5 = a5;
    if (args.add) {
      const z = y + add;
      a0 = plus(a0, z); a1 = plus(a1, z + n1 * step); a2 = plus(a2, z + n2 * step);
      a3 = plus(a3, z + n3 * step); a4 = plus(a4, z + n4 * step); a5 = plus(a5, z + n5 * step);
      b0 = plus(b0, z + 16); b1 = plus(b1, z + n1 * step + 16); b2 = plus(b2, z + n2 * step + 16);
      b3 = plus(b3, z + n3 * step + 16); b4 = plus(b4, z + n4 * step + 16); b5 = plus(b5, z + n5 * step + 16);
    }
    for (let offset = from, w = weights; offset < end; offset += 4, w += 24) {
      const source = x + <usize>load<u32>(offset), x0 = v128.load(source), x1 = v128.load(source, 16);
      const w0 = v128.load_splat<f32>(w);
      a0 = multiplyAdd(a0, w0, x0); b0 = multiplyAdd(b0, w0, x1);
      const w1 = v128.load_splat<f32>(w, 4);
      a1 = multiplyAdd(a1, w1, x0); b1 = multiplyAdd(b1, w1, x1);
      const w2 = v128.load_splat<f32>(w, 8);
      a2 = multiplyAdd(a2, w2, x0); b2 = multiplyAdd(b2, w2, x1);
      const w3 = v128.load_splat<f32>(w, 12);
      a3 = multiplyAdd(a3, w3, x0); b3 = multiplyAdd(b3, w3, x1);
      const w4 = v128.load_splat<f32>(w, 16);
      a4 = multiplyAdd(a4, w4, x0); b4 = multiplyAdd(b4, w4, x1);
      const w5 = v128.load_splat<f32>(w, 20);
      a5 = multiplyAdd(a5, w5, x0); b5 = multiplyAdd(b5, w5, x1);
    }
    finish(args, a5, b5, y + n5 * step, bits + n5 * signs);
    finish(args, a4, b4, y + n4 * step, bits + n4 * signs);
    finish(args, a3, b3, y + n3 * step, bits + n3 * signs);
    finish(args, a2, b2, y + n2 * step, bits + n2 * signs);
    finish(args, a1, b1, y + n1 * step, bits + n1 * signs);
    finish(args, a0, b0, y, bits);
  }
}

/** A row of up to three channels, two vectors, a and b, at a time; sums of every second k apart, so that there are enough. */
function narrowRow(
  args: ConvolveFull, x: usize, from: usize, end: usize, weights: usize, y: usize, channel: i32, last: i32, add: usize,
  bits: usize,
): void {
  const n1 = min(1, last), n2 = min(2, last);
  const step = args.yChannel, signs = args.tiles << 2, biasStep = args.biasStep, bias = args.bias + channel * biasStep;
  const pairsEnd = end - (end - from & 4);
  for (const rowEnd = y + (args.tiles << 7); y < rowEnd; x += 32, y += 32, bits++) {
    let a0 = v128.load_splat<f32>(bias), a1 = v128.load_splat<f32>(bias + n1 * biasStep);
    let a2 = v128.load_splat<f32>(bias + n2 * biasStep);
    let b0 = a0, b1 = a1, b2 = a2;
    if (args.add) {
      const z = y + add;
      a0 = plus(a0, z); a1 = plus(a1, z + n1 * step); a2 = plus(a2, z + n2 * step);
      b0 = plus(b0, z + 16); b1 = plus(b1, z + n1 * step + 16); b2 = plus(b2, z + n2 * step + 16);
    }
    let c0 = f32x4.splat(0), c1 = c0, c2 = c0, d0 = c0, d1 = c0, d2 = c0;
    let offset = from, w = weights;
    for (; offset < pairsEnd; offset += 8, w += 24) {
      const source = x + <usize>load<u32>(offset), x0 = v128.load(source), x1 = v128.load(source, 16);
      const w0 = v128.load_splat<f32>(w);
      a0 = multiplyAdd(a0, w0, x0); b0 = multiplyAdd(b0, w0, x1);
      const w1 = v128.load_splat<f32>(w, 4);
      a1 = multiplyAdd(a1, w1, x0); b1 = multiplyAdd(b1, w1, x1);
      const w2 = v128.load_splat<f32>(w, 8);
      a2 = multiplyAdd(a2, w2, x0); b2 = multiplyAdd(b2, w2, x1);
      const next = x + <usize>load<u32>(offset, 4), x2 = v128.load(next), x3 = v128.load(next, 16);
      const w3 = v128.load_splat<f32>(w, 12);
      c0 = multiplyAdd(c0, w3, x2); d0 = multiplyAdd(d0, w3, x3);
      const w4 = v128.load_splat<f32>(w, 16);
      c1 = multiplyAdd(c1, w4, x2); d1 = multiplyAdd(d1, w4, x3);
      const w5 = v128.load_splat<f32>(w, 20);
      c2 = multiplyAdd(c2, w5, x2); d2 = multiplyAdd(d2, w5, x3);
    }
    if (offset < end) {
      const source = x + <usize>load<u32>(offset), x0 = v128.load(source), x1 = v128.load(source, 16);
      const w0 = v128.load_splat<f32>(w), w1 = v128.load_splat<f32>(w, 4), w2 = v128.load_splat<f32>(w, 8);
      a0 = multiplyAdd(a0, w0, x0); b0 = multiplyAdd(b0, w0, x1);
      a1 = multiplyAdd(a1, w1, x0); b1 = multiplyAdd(b1, w1, x1);
      a2 = multiplyAdd(a2, w2, x0); b2 = multiplyAdd(b2, w2, x1);
    }
    finish(args, f32x4.add(a2, c2), f32x4.add(b2, d2), y + n2 * step, bits + n2 * signs);
    finish(args, f32x4.add(a1, c1), f32x4.add(b1, d1), y + n1 * step, bits + n1 * signs);
    finish(args, f32x4.add(a0, c0), f32x4.add(b0, d0), y, bits);
  }
}

@unmanaged
class FillPanels {
  panels: usize;
  planes: i32;
  /** a plane; channels of the kernel's other side */
  channels: i32;
  depth: i32;
  /** [plane][k] u32: where the first channel's weight lies in `values`, in bytes; the next channel's is `valueStep` on */
  sources: usize;
  valueStep: i32;
  values: usize;
  /** f32 an output channel of the forward convolution, or 0 */
  scale: usize;
  /** output channels of the forward convolution where these are the panels of the transposed one, else 0 */
  transposed: i32;
}

/** Writes the weights of a task's group of channels, times a factor of the output channel. */
export function fillPanels(task: i32, args: FillPanels): void {
  const width = args.channels > FEW ? GROUP : FEW, groups = (args.channels + width - 1) / width;
  const plane = task / groups, firstChannel = task % groups * width, count = min(width, args.channels - firstChannel);
  const values = args.values + firstChannel * args.valueStep;
  let source = args.sources + (<usize>(plane * args.depth) << 2);
  let to = args.panels + (<usize>(task * args.depth * width) << 2);
  for (const end = source + (<usize>args.depth << 2); source < end; source += 4) {
    const from = load<u32>(source);
    for (let c = 0; c < width; c++, to += 4) {
      if (c >= count) {
        store<f32>(to, 0);
        continue;
      }
      const output = args.transposed ? <i32>(from >> 2) % args.transposed : firstChannel + c;
      const scale = args.scale ? load<f32>(args.scale + (output << 2)) : <f32>1;
      store<f32>(to, load<f32>(values + <usize>from + c * args.valueStep) * scale);
    }
  }
}
