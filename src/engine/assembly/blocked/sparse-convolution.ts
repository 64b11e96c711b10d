// Convolution with a kernel stored as compressed sparse rows; forward and, with the transposed rows, input gradient.
//
// An activation block holds `nb` images (4, 8, 16 or 32), the innermost axis, one f32 lane each:
//
//   block     [row 0            ][row 1            ] …
//   row       [channel 0][channel 1] …
//   channel   [pixel 0][pixel 1] … [pixel width − 1][0]…[0]     `pad` zero bytes on the right of each channel
//   pixel     [image 0 | image 1 | image 2 | image 3] …         nb · 4 bytes
//
// The zeros on the right of a channel are also those on the left of the next one; `pad` zero bytes lie before the
// first block. There are no rows of padding: a table says for each output row which rows of the kernel meet the image.
//
// A register tile is 8 vectors = 128 bytes of one output channel's row, whatever nb is. A nonzero adds
// weight · (the same tile of the input, moved by the nonzero's offset) to it:
//
//   records   [offset u32 | weight f32] [offset | weight] …     by slice and output channel, then by group (kernel row)
//   pointers  [slice][channel][groups + 1]                      byte offsets of the groups in `records`
//   rowTable  [row][first group | end group | input offset | 0] offset of the row's first input row from the block
//
// The input channels are cut into slices: what one tile reads of a slice stays in the first-level cache while it serves
// all output channels. All slices but the first add to what the one before them wrote. Where there is one slice, an output
// channel's records stay in that cache while they serve all tiles of the row.
import { addRow, ChannelSums, startSums } from './channel-sums';
import { endOfRows, keepBits, multiplyAdd, part, positive, signBits, touch, zero } from '../shared/common';

@unmanaged
class Convolve extends ChannelSums {
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
  slices: i32;
  groups: i32;
  pointers: usize;
  records: usize;
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
}

export function convolve(task: i32, args: Convolve): void {
  const epilogue = args.epilogue;
  if (epilogue == 0) convolveBlocks(args, task, 0);
  else if (epilogue == 2) convolveBlocks(args, task, 3);
  else if (args.bits) convolveBlocks(args, task, 2);
  else convolveBlocks(args, task, 1);
}

// @ts-ignore: decorator
@inline
function convolveBlocks(args: Convolve, task: i32, mode: i32): void {
  const x = part(args.x, args.xTask, task), y = part(args.y, args.yTask, task), add = part(args.add, args.addTask, task);
  const rows = args.rows, tiles = args.tiles, channels = args.channels, pad = args.pad;
  const pointerStep = (args.groups + 1) << 2;
  const last = args.slices - 1, channelMajor = args.slices == 1;
  // Tiles are taken in pairs where that is as fast, and one is left over where their number is odd.
  const steps = WIDE ? (tiles + 1) >> 1 : tiles;
  const outer = channelMajor ? channels : steps, inner = channelMajor ? steps : channels;
  let bitRow = part(args.bits, args.bitsTask, task);
  const sums = startSums(args, task, channels);
  zero(y - pad, pad);
  for (let block = 0; block < args.blocks; block++) {
    let touchedEnd = 0;
    for (let h = 0; h < rows; h++) {
      const entry = args.rowTable + (<usize>h << 4);
      const first = <usize>load<u32>(entry) << 2, end = <usize>load<u32>(entry, 4) << 2;
      const xRow = x + block * args.xBlock + load<i32>(entry, 8), yRow = y + block * args.yBlock + h * args.yRow;
      const seen = endOfRows(entry, h + 1 < rows, args.groups, args.xBlock);
      if (seen > touchedEnd) {
        touch(x + block * args.xBlock + touchedEnd, seen - touchedEnd);
        touchedEnd = seen;
      }
      if (args.add) startRow(args, yRow, add + block * args.yBlock + h * args.yRow);
      for (let i = 0; i < outer; i++) {
        for (let slice = 0; slice <= last; slice++) {
          for (let j = 0; j < inner; j++) {
            const channel = channelMajor ? i : j, step = channelMajor ? j : i, t = WIDE ? step << 1 : step;
            const pointers = args.pointers + (slice * channels + channel) * pointerStep;
            const from = args.records + <usize>load<u32>(pointers + first);
            const to = args.records + <usize>load<u32>(pointers + end);
            const source = xRow + (t << 7), target = yRow + channel * args.yChannel + (t << 7);
            const bits = bitRow + ((channel * tiles + t) << 2);
            const plain = mode == 0 || slice < last;
            const bias = slice == 0 && !args.add ? args.bias + channel * args.biasStep : 0;
            if (WIDE && t + 1 < tiles) wideTile(mode, plain, source, from, to, target, bias, bits);
            else narrowTile(mode, plain, source, from, to, target, bias, bits);
          }
        }
      }
      if (pad) for (let c = 0; c < channels; c++) zero(yRow + c * args.yChannel + (tiles << 7), pad);
      if (mode >= 2) bitRow += (channels * tiles) << 2;
      if (args.sums) {
        addRow(args, sums, task, block, args.blocks, yRow, yRow - y, channels, args.yChannel, tiles);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function narrowTile(
  mode: i32, plain: bool, x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize,
): void {
  if (bias) {
    if (plain) plainTile(x, e, end, y, bias);
    else if (mode == 1) reluTile(x, e, end, y, bias);
    else if (mode == 2) reluBitsTile(x, e, end, y, bias, bits);
    else maskedTile(x, e, end, y, bias, bits);
  } else {
    if (plain) plainSum(x, e, end, y);
    else if (mode == 1) reluSum(x, e, end, y);
    else if (mode == 2) reluBitsSum(x, e, end, y, bits);
    else maskedSum(x, e, end, y, bits);
  }
}

// @ts-ignore: decorator
@inline
function wideTile(
  mode: i32, plain: bool, x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize,
): void {
  if (bias) {
    if (plain) widePlainTile(x, e, end, y, bias);
    else if (mode == 1) wideReluTile(x, e, end, y, bias);
    else if (mode == 2) wideReluBitsTile(x, e, end, y, bias, bits);
    else wideMaskedTile(x, e, end, y, bias, bits);
  } else {
    if (plain) widePlainSum(x, e, end, y);
    else if (mode == 1) wideReluSum(x, e, end, y);
    else if (mode == 2) wideReluBitsSum(x, e, end, y, bits);
    else wideMaskedSum(x, e, end, y, bits);
  }
}

/** y = add + bias for one row of all channels. */
function startRow(args: Convolve, y: usize, add: usize): void {
  for (let c = 0; c < args.channels; c++) {
    const b = v128.load_splat<f32>(args.bias + c * args.biasStep);
    let p = add + c * args.yChannel, q = y + c * args.yChannel;
    for (const end = q + (args.tiles << 7); q < end; p += 64, q += 64) {
      v128.store(q, f32x4.add(b, v128.load(p)));
      v128.store(q, f32x4.add(b, v128.load(p, 16)), 16);
      v128.store(q, f32x4.add(b, v128.load(p, 32)), 32);
      v128.store(q, f32x4.add(b, v128.load(p, 48)), 48);
    }
  }
}

// A function for each epilogue, and whether it starts from a bias or from what is in y; those of wide tiles are used only
// where the compiler makes 256-bit instructions of pairs of vectors.
function plainTile(x: usize, e: usize, end: usize, y: usize, bias: usize): void {
  tile(false, 0, x, e, end, y, bias, 0);
}
function plainSum(x: usize, e: usize, end: usize, y: usize): void {
  tile(false, 0, x, e, end, y, 0, 0);
}
function reluTile(x: usize, e: usize, end: usize, y: usize, bias: usize): void {
  tile(false, 1, x, e, end, y, bias, 0);
}
function reluSum(x: usize, e: usize, end: usize, y: usize): void {
  tile(false, 1, x, e, end, y, 0, 0);
}
function reluBitsTile(x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize): void {
  tile(false, 2, x, e, end, y, bias, bits);
}
function reluBitsSum(x: usize, e: usize, end: usize, y: usize, bits: usize): void {
  tile(false, 2, x, e, end, y, 0, bits);
}
function maskedTile(x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize): void {
  tile(false, 3, x, e, end, y, bias, bits);
}
function maskedSum(x: usize, e: usize, end: usize, y: usize, bits: usize): void {
  tile(false, 3, x, e, end, y, 0, bits);
}
function widePlainTile(x: usize, e: usize, end: usize, y: usize, bias: usize): void {
  tile(true, 0, x, e, end, y, bias, 0);
}
function widePlainSum(x: usize, e: usize, end: usize, y: usize): void {
  tile(true, 0, x, e, end, y, 0, 0);
}
function wideReluTile(x: usize, e: usize, end: usize, y: usize, bias: usize): void {
  tile(true, 1, x, e, end, y, bias, 0);
}
function wideReluSum(x: usize, e: usize, end: usize, y: usize): void {
  tile(true, 1, x, e, end, y, 0, 0);
}
function wideReluBitsTile(x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize): void {
  tile(true, 2, x, e, end, y, bias, bits);
}
function wideReluBitsSum(x: usize, e: usize, end: usize, y: usize, bits: usize): void {
  tile(true, 2, x, e, end, y, 0, bits);
}
function wideMaskedTile(x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize): void {
  tile(true, 3, x, e, end, y, bias, bits);
}
function wideMaskedSum(x: usize, e: usize, end: usize, y: usize, bits: usize): void {
  tile(true, 3, x, e, end, y, 0, bits);
}

/**
 * One tile of a channel's row, or two side by side if `wide`.
 *
 * @param bias address of what all sums start from, or 0 where they start from y
 */
// @ts-ignore: decorator
@inline
function tile(wide: bool, mode: i32, x: usize, e: usize, end: usize, y: usize, bias: usize, bits: usize): void {
  let a0: v128, a1: v128, a2: v128, a3: v128, a4: v128, a5: v128, a6: v128, a7: v128;
  let a8: v128, a9: v128, a10: v128, a11: v128, a12: v128, a13: v128, a14: v128, a15: v128;
  if (bias) {
    a0 = v128.load_splat<f32>(bias);
    a1 = a0; a2 = a0; a3 = a0; a4 = a0; a5 = a0; a6 = a0; a7 = a0;
    a8 = a0; a9 = a0; a10 = a0; a11 = a0; a12 = a0; a13 = a0; a14 = a0; a15 = a0;
  } else {
    a0 = v128.load(y); a1 = v128.load(y, 16); a2 = v128.load(y, 32); a3 = v128.load(y, 48);
    a4 = v128.load(y, 64); a5 = v128.load(y, 80); a6 = v128.load(y, 96); a7 = v128.load(y, 112);
    if (wide) {
      a8 = v128.load(y, 128); a9 = v128.load(y, 144); a10 = v128.load(y, 160); a11 = v128.load(y, 176);
      a12 = v128.load(y, 192); a13 = v128.load(y, 208); a14 = v128.load(y, 224); a15 = v128.load(y, 240);
    } else {
      a8 = a0; a9 = a0; a10 = a0; a11 = a0; a12 = a0; a13 = a0; a14 = a0; a15 = a0;
    }
  }
  while (e < end) {
    const s = x + <usize>load<u32>(e), w = v128.load_splat<f32>(e, 4);
    a0 = multiplyAdd(a0, w, v128.load(s));
    a1 = multiplyAdd(a1, w, v128.load(s, 16));
    a2 = multiplyAdd(a2, w, v128.load(s, 32));
    a3 = multiplyAdd(a3, w, v128.load(s, 48));
    if (!RELAXED && s == 0) { // never
      a0 = w; a1 = w; a2 = w; a3 = w;
    }
    a4 = multiplyAdd(a4, w, v128.load(s, 64));
    a5 = multiplyAdd(a5, w, v128.load(s, 80));
    a6 = multiplyAdd(a6, w, v128.load(s, 96));
    a7 = multiplyAdd(a7, w, v128.load(s, 112));
    if (wide) {
      a8 = multiplyAdd(a8, w, v128.load(s, 128));
      a9 = multiplyAdd(a9, w, v128.load(s, 144));
      a10 = multiplyAdd(a10, w, v128.load(s, 160));
      a11 = multiplyAdd(a11, w, v128.load(s, 176));
      a12 = multiplyAdd(a12, w, v128.load(s, 192));
      a13 = multiplyAdd(a13, w, v128.load(s, 208));
      a14 = multiplyAdd(a14, w, v128.load(s, 224));
      a15 = multiplyAdd(a15, w, v128.load(s, 240));
    }
    e += 8;
  }
  if (mode == 2) {
    store<u32>(bits, signBits(a0, a1, a2, a3, a4, a5, a6, a7));
    if (wide) store<u32>(bits, signBits(a8, a9, a10, a11, a12, a13, a14, a15), 4);
  }
  if (mode == 1 || mode == 2) {
    a0 = positive(a0); a1 = positive(a1); a2 = positive(a2); a3 = positive(a3);
    a4 = positive(a4); a5 = positive(a5); a6 = positive(a6); a7 = positive(a7);
    if (wide) {
      a8 = positive(a8); a9 = positive(a9); a10 = positive(a10); a11 = positive(a11);
      a12 = positive(a12); a13 = positive(a13); a14 = positive(a14); a15 = positive(a15);
    }
  }
  if (mode == 3) {
    const word = v128.load_splat<u32>(bits);
    a0 = keepBits(a0, word, 0); a1 = keepBits(a1, word, 1); a2 = keepBits(a2, word, 2); a3 = keepBits(a3, word, 3);
    a4 = keepBits(a4, word, 4); a5 = keepBits(a5, word, 5); a6 = keepBits(a6, word, 6); a7 = keepBits(a7, word, 7);
    if (wide) {
      const next = v128.load_splat<u32>(bits, 4);
      a8 = keepBits(a8, next, 0); a9 = keepBits(a9, next, 1); a10 = keepBits(a10, next, 2); a11 = keepBits(a11, next, 3);
      a12 = keepBits(a12, next, 4); a13 = keepBits(a13, next, 5); a14 = keepBits(a14, next, 6); a15 = keepBits(a15, next, 7);
    }
  }
  v128.store(y, a0);
  v128.store(y, a1, 16);
  v128.store(y, a2, 32);
  v128.store(y, a3, 48);
  v128.store(y, a4, 64);
  v128.store(y, a5, 80);
  v128.store(y, a6, 96);
  v128.store(y, a7, 112);
  if (wide) {
    v128.store(y, a8, 128);
    v128.store(y, a9, 144);
    v128.store(y, a10, 160);
    v128.store(y, a11, 176);
    v128.store(y, a12, 192);
    v128.store(y, a13, 208);
    v128.store(y, a14, 224);
    v128.store(y, a15, 240);
  }
}

@unmanaged
class FillRows {
  records: usize;
  pointers: usize;
  groups: i32;
  /** slices · channels */
  rows: i32;
  channels: i32;
  chunk: i32;
  /** u32 a record: which value it holds */
  permutation: usize;
  values: usize;
  /** f32 a channel, or 0 */
  scale: usize;
}

/** Writes the weights of a task's rows: values in the structure's order, times a factor of the output channel. */
export function fillRows(task: i32, args: FillRows): void {
  const step = (args.groups + 1) << 2;
  const end = min((task + 1) * args.chunk, args.rows);
  for (let row = task * args.chunk; row < end; row++) {
    const pointers = args.pointers + row * step;
    const from = load<u32>(pointers), to = load<u32>(pointers + (args.groups << 2));
    const scale = args.scale ? load<f32>(args.scale + ((row % args.channels) << 2)) : <f32>1;
    for (let r = from; r < to; r += 8) {
      const value = load<f32>(args.values + (<usize>load<u32>(args.permutation + (r >> 1)) << 2));
      store<f32>(args.records + r, value * scale, 4);
    }
  }
}

@unmanaged
class FillTransposed {
  records: usize;
  /** u32 a record: the number of the same weight's record in `source` */
  permutation: usize;
  source: usize;
  length: i32;
  chunk: i32;
}

/** Copies the weights of the rows into the transposed rows. */
export function fillTransposed(task: i32, args: FillTransposed): void {
  const end = min((task + 1) * args.chunk, args.length);
  for (let i = task * args.chunk; i < end; i++) {
    const from = <usize>load<u32>(args.permutation + (<usize>i << 2)) << 3;
    store<f32>(args.records + (<usize>i << 3), load<f32>(args.source + from, 4), 4);
  }
}
