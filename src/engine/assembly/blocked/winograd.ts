// Convolution of blocks, 3×3 with stride 1 and a zero column on each side, by Winograd's F(2×2, 3×3) (Lavin and Gray 2016):
// Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A takes 16 products for 2×2 outputs instead of 36, and adds up over the channels in between:
//
//        | 1  0 -1  0 |        | 1   0   0 |         | 1  1  1  0 |
//   Bᵀ = | 0  1  1  0 |    G = | ½   ½   ½ |    Aᵀ = | 0  1 -1 -1 |
//        | 0 -1  1  0 |        | ½  -½   ½ |
//        | 0  1  0 -1 |        | 0   0   1 |
//
// Images are the innermost axis, so a lane is an image and nothing is shuffled. Positions (tiles of 2×2 pixels by vectors of
// images) are taken a chunk at a time, whose transforms lie in scratch memory of the thread:
//
//   v         [point][pair of positions][channel of x][2 vectors]
//   m         [point][channel of y][position] vectors
//   weights   [point][group of 6 channels][channel of x][6] f32          zeros where the last group has fewer channels
//
// A point is one of the 16 products; for each, m is a matrix product. sparse-convolution.ts has the picture of a block.
import { addRow, ChannelSums, startSums } from './channel-sums';
import { keepBits, keptLanes, multiplyAdd, part, positive, zero } from '../shared/common';

/** Channels of y that share what they read of v. */
const GROUP = 6;
const POINTS = 16;

@unmanaged
class ConvolveWinograd extends ChannelSums {
  x: usize;
  xTask: i32;
  xBlock: i32;
  xRow: i32;
  xChannel: i32;
  y: usize;
  yTask: i32;
  yBlock: i32;
  blocks: i32;
  rows: i32;
  tiles: i32;
  inputs: i32;
  channels: i32;
  yRow: i32;
  yChannel: i32;
  /** bytes of a pixel's images */
  pixel: i32;
  pad: i32;
  /** pairs of rows that make a chunk */
  chunk: i32;
  weights: usize;
  /** v and m of a chunk */
  scratch: usize;
  scratchTask: i32;
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
}

export function convolveWinograd(task: i32, args: ConvolveWinograd): void {
  const y = part(args.y, args.yTask, task), sums = startSums(args, task, args.channels);
  const pairsOfRows = args.rows >> 1, units = args.blocks * pairsOfRows, perUnit = args.tiles << 2;
  const v = part(args.scratch, args.scratchTask, task);
  zero(y - args.pad, args.pad);
  for (let first = 0; first < units; first += args.chunk) {
    const end = min(first + args.chunk, units), positions = (end - first) * perUnit;
    const m = v + (<usize>(POINTS * positions) * args.inputs << 4);
    for (let unit = first; unit < end; unit++) {
      transformInput(args, task, unit / pairsOfRows, unit % pairsOfRows << 1, v, positions, (unit - first) * perUnit);
    }
    for (let point = 0; point < POINTS; point++) multiply(args, point, v, m, positions);
    for (let unit = first; unit < end; unit++) {
      const block = unit / pairsOfRows, h = unit % pairsOfRows << 1;
      transformOutput(args, task, block, h, m, positions, (unit - first) * perUnit);
      for (let row = h; row < h + 2; row++) {
        const offset = block * args.yBlock + row * args.yRow;
        finishRow(args, sums, task, block, y + offset, offset);
      }
    }
  }
}

/** Zeros on the right of a row's channels, and what the row adds to their sums. */
function finishRow(args: ConvolveWinograd, sums: usize, task: i32, block: i32, y: usize, offset: usize): void {
  const tiles = args.tiles;
  if (args.pad) for (let c = 0; c < args.channels; c++) zero(y + c * args.yChannel + (tiles << 7), args.pad);
  if (args.sums) {
    addRow(args, sums, task, block, args.blocks, y, offset, args.channels, args.yChannel, tiles);
  }
}

// @ts-ignore: decorator
@inline
function loadIf(there: bool, p: usize): v128 {
  return there ? v128.load(p) : f32x4.splat(0);
}

/** v = Bᵀ d B for the positions of rows h and h + 1, which are numbered from `position` on. */
function transformInput(
  args: ConvolveWinograd, task: i32, block: i32, h: i32, v: usize, positions: i32, position: i32,
): void {
  const x = part(args.x, args.xTask, task) + block * args.xBlock + (h - 1) * args.xRow - args.pixel;
  const top = h > 0, bottom = h + 2 < args.rows, row = args.xRow, pixel = args.pixel;
  const point = <usize>positions * args.inputs << 4, width = args.tiles << 7;
  for (let channel = 0; channel < args.inputs; channel++) {
    const source = x + channel * args.xChannel;
    let p = position;
    for (let column = 0; column < width; column += pixel << 1) {
      for (let image = 0; image < pixel; image += 16, p++) {
        const d0 = source + column + image, d1 = d0 + row, d2 = d1 + row, d3 = d2 + row;
        let to = v + ((<usize>(p >> 1) * args.inputs + channel) << 5) + ((p & 1) << 4);
        // The differences of rows, Bᵀ d, column by column; then those of columns.
        let a = loadIf(top, d0), b = v128.load(d1), c = v128.load(d2), d = loadIf(bottom, d3);
        const e00 = f32x4.sub(a, c), e10 = f32x4.add(b, c), e20 = f32x4.sub(c, b), e30 = f32x4.sub(b, d);
        a = loadIf(top, d0 + pixel); b = v128.load(d1 + pixel); c = v128.load(d2 + pixel); d = loadIf(bottom, d3 + pixel);
        const e01 = f32x4.sub(a, c), e11 = f32x4.add(b, c), e21 = f32x4.sub(c, b), e31 = f32x4.sub(b, d);
        const two = pixel << 1;
        a = loadIf(top, d0 + two); b = v128.load(d1 + two); c = v128.load(d2 + two); d = loadIf(bottom, d3 + two);
        const e02 = f32x4.sub(a, c), e12 = f32x4.add(b, c), e22 = f32x4.sub(c, b), e32 = f32x4.sub(b, d);
        const three = two + pixel;
        a = loadIf(top, d0 + three); b = v128.load(d1 + three); c = v128.load(d2 + three); d = loadIf(bottom, d3 + three);
        const e03 = f32x4.sub(a, c), e13 = f32x4.add(b, c), e23 = f32x4.sub(c, b), e33 = f32x4.sub(b, d);
        to = storePoints(to, point, e00, e01, e02, e03);
        to = storePoints(to, point, e10, e11, e12, e13);
        to = storePoints(to, point, e20, e21, e22, e23);
        storePoints(to, point, e30, e31, e32, e33);
      }
    }
  }
}

/** Four points of v, from one row of Bᵀ d; returns where the next ones go. */
// @ts-ignore: decorator
@inline
function storePoints(to: usize, point: usize, e0: v128, e1: v128, e2: v128, e3: v128): usize {
  v128.store(to, f32x4.sub(e0, e2));
  v128.store(to + point, f32x4.add(e1, e2));
  v128.store(to + 2 * point, f32x4.sub(e2, e1));
  v128.store(to + 3 * point, f32x4.sub(e1, e3));
  return to + 4 * point;
}

/** m = weights · v for one point. */
function multiply(args: ConvolveWinograd, point: i32, v: usize, m: usize, positions: i32): void {
  const inputs = args.inputs, channels = args.channels, groups = (channels + GROUP - 1) / GROUP;
  const panel = <usize>inputs * GROUP << 2, pair = <usize>inputs << 5, row = positions << 4;
  const from = v + <usize>point * positions * inputs * 16, end = from + <usize>(positions >> 1) * pair;
  let w = args.weights + <usize>(point * groups) * panel, y = m + <usize>(point * channels) * <usize>row;
  for (let group = 0; group < groups; group++, w += panel, y += GROUP * row) {
    const last = (min(GROUP, channels - group * GROUP) - 1) * row;
    for (let x = from, to = y; x < end; x += pair, to += 32) tile(x, x + pair, w, to, row, last);
  }
}

/**
 * Two positions, a and b, of six channels, `row` bytes apart in y. Channels after the last one, at `last`, have weights 0 and
 * are written in its place before it, so that nothing is left of them.
 */
function tile(x: usize, end: usize, w: usize, y: usize, row: i32, last: i32): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
  let b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0;
  for (; x < end; x += 32, w += 24) {
    const x0 = v128.load(x), x1 = v128.load(x, 16), w0 = v128.load_splat<f32>(w);
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
  storePair(y + min(5 * row, last), a5, b5);
  storePair(y + min(4 * row, last), a4, b4);
  storePair(y + min(3 * row, last), a3, b3);
  storePair(y + min(2 * row, last), a2, b2);
  storePair(y + min(row, last), a1, b1);
  storePair(y, a0, b0);
}

// @ts-ignore: decorator
@inline
function storePair(y: usize, a: v128, b: v128): void {
  v128.store(y, a);
  v128.store(y, b, 16);
}

/** y = f(Aᵀ m A + bias (+ add)) for rows h and h + 1. */
function transformOutput(
  args: ConvolveWinograd, task: i32, block: i32, h: i32, m: usize, positions: i32, position: i32,
): void {
  const channels = args.channels, pixel = args.pixel, width = args.tiles << 7, perPixel = pixel >> 4;
  const offset = block * args.yBlock + h * args.yRow, y = part(args.y, args.yTask, task) + offset;
  const add = args.add ? part(args.add, args.addTask, task) + offset - y : 0;
  const bitsRow = (channels * args.tiles) << 2, bits = part(args.bits, args.bitsTask, task) + (block * args.rows + h) * bitsRow;
  const row = positions << 4, point = <usize>row * channels, next = args.yRow;
  for (let channel = 0; channel < channels; channel++) {
    const bias = v128.load_splat<f32>(args.bias + channel * args.biasStep);
    const signs = bits + ((channel * args.tiles) << 2), target = y + channel * args.yChannel;
    let from = m + channel * row + (<usize>position << 4);
    for (let column = 0; column < width; column += pixel << 1) {
      for (let image = 0; image < pixel; image += 16, from += 16) {
        // The sums of rows, Aᵀ m, column by column; then those of columns.
        let p = from;
        let a = v128.load(p), b = v128.load(p + 4 * point), c = v128.load(p + 8 * point), d = v128.load(p + 12 * point);
        const r00 = f32x4.add(f32x4.add(a, b), c), r10 = f32x4.sub(f32x4.sub(b, c), d);
        p += point;
        a = v128.load(p); b = v128.load(p + 4 * point); c = v128.load(p + 8 * point); d = v128.load(p + 12 * point);
        const r01 = f32x4.add(f32x4.add(a, b), c), r11 = f32x4.sub(f32x4.sub(b, c), d);
        p += point;
        a = v128.load(p); b = v128.load(p + 4 * point); c = v128.load(p + 8 * point); d = v128.load(p + 12 * point);
        const r02 = f32x4.add(f32x4.add(a, b), c), r12 = f32x4.sub(f32x4.sub(b, c), d);
        p += point;
        a = v128.load(p); b = v128.load(p + 4 * point); c = v128.load(p + 8 * point); d = v128.load(p + 12 * point);
        const r03 = f32x4.add(f32x4.add(a, b), c), r13 = f32x4.sub(f32x4.sub(b, c), d);
        const to = target + column + image, i = (column + image) >> 4, j = i + perPixel;
        finish(args, f32x4.add(bias, f32x4.add(f32x4.add(r00, r01), r02)), to, add, signs, i);
        finish(args, f32x4.add(bias, f32x4.sub(f32x4.sub(r01, r02), r03)), to + pixel, add, signs, j);
        finish(args, f32x4.add(bias, f32x4.add(f32x4.add(r10, r11), r12)), to + next, add, signs + bitsRow, i);
        finish(args, f32x4.add(bias, f32x4.sub(f32x4.sub(r11, r12), r13)), to + next + pixel, add, signs + bitsRow, j);
      }
    }
  }
}

/** The epilogue of vector `i` of a channel's row, whose signs are half a byte; even ones come before the odd ones after them. */
// @ts-ignore: decorator
@inline
function finish(args: ConvolveWinograd, v: v128, y: usize, add: usize, signs: usize, i: i32): void {
  if (args.add) v = f32x4.add(v, v128.load(y + add));
  const epilogue = args.epilogue, byte = signs + (i >> 1), odd = i & 1;
  if (epilogue == 1) {
    if (args.bits) {
      const four = keptLanes(v);
      store<u8>(byte, odd ? load<u8>(byte) | (four << 4) : four);
    }
    v = positive(v);
  } else if (epilogue == 2) {
    v = keepBits(v, i32x4.splat(load<u8>(byte) >> (odd << 2)), 0);
  }
  v128.store(y, v);
}

@unmanaged
class FillWinograd {
  weights: usize;
  inputs: i32;
  channels: i32;
  /** of the first place of the window, or of the last one where it is turned; bytes between places, inputs and channels */
  values: usize;
  placeStep: i32;
  inputStep: i32;
  channelStep: i32;
  /** f32 an output channel of the forward convolution, or 0 */
  scale: usize;
  /** 1 where those are the channels of x */
  transposed: i32;
}

/** weights = G g Gᵀ for a task's group of channels, g times a factor of the output channel. */
export function fillWinograd(task: i32, args: FillWinograd): void {
  const groups = (args.channels + GROUP - 1) / GROUP;
  const point = <usize>(groups * args.inputs * GROUP) << 2, place = args.placeStep;
  let to = args.weights + (<usize>(task * args.inputs * GROUP) << 2);
  for (let input = 0; input < args.inputs; input++) {
    for (let c = 0; c < GROUP; c++, to += 4) {
      const channel = task * GROUP + c, there = channel < args.channels;
      const scale = !there ? <f32>0 : args.scale ? load<f32>(args.scale + ((args.transposed ? input : channel) << 2)) : <f32>1;
      const g = args.values + input * args.inputStep + min(channel, args.channels - 1) * args.channelStep;
      const g00 = load<f32>(g) * scale, g01 = load<f32>(g + place) * scale, g02 = load<f32>(g + 2 * place) * scale;
      const h = g + 3 * place, i = g + 6 * place;
      const g10 = load<f32>(h) * scale, g11 = load<f32>(h + place) * scale, g12 = load<f32>(h + 2 * place) * scale;
      const g20 = load<f32>(i) * scale, g21 = load<f32>(i + place) * scale, g22 = load<f32>(i + 2 * place) * scale;
      const s0 = (g00 + g20) / 2, s1 = (g01 + g21) / 2, s2 = (g02 + g22) / 2;
      const t0 = g10 / 2, t1 = g11 / 2, t2 = g12 / 2;
      storeWeights(to, point, g00, g01, g02);
      storeWeights(to + 4 * point, point, s0 + t0, s1 + t1, s2 + t2);
      storeWeights(to + 8 * point, point, s0 - t0, s1 - t1, s2 - t2);
      storeWeights(to + 12 * point, point, g20, g21, g22);
    }
  }
}

/** Four points of the weights, from one row of G g. */
// @ts-ignore: decorator
@inline
function storeWeights(to: usize, point: usize, g0: f32, g1: f32, g2: f32): void {
  const s = (g0 + g2) / 2, t = g1 / 2;
  store<f32>(to, g0);
  store<f32>(to + point, s + t);
  store<f32>(to + 2 * point, s - t);
  store<f32>(to + 3 * point, g2);
}
