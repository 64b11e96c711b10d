// y = f(a + b) on activation blocks of one layout (see sparse-convolution.ts), f being nothing, ReLU, or a mask.
import { keepBits, part, positive, signBits, zero } from '../shared/common';

@unmanaged
class Combine {
  a: usize;
  aTask: i32;
  /** 0: y = f(a) */
  b: usize;
  bTask: i32;
  y: usize;
  yTask: i32;
  block: i32;
  row: i32;
  channel: i32;
  blocks: i32;
  rows: i32;
  channels: i32;
  tiles: i32;
  pad: i32;
  /** as in convolve: 0 none; 1 ReLU, its signs to `bits` unless that is 0; 2 kept where `bits` are set */
  epilogue: i32;
  bits: usize;
  bitsTask: i32;
}

export function combine(task: i32, args: Combine): void {
  const a = part(args.a, args.aTask, task), b = part(args.b, args.bTask, task), y = part(args.y, args.yTask, task);
  let bits = part(args.bits, args.bitsTask, task);
  const second = args.b != 0, relu = args.epilogue == 1, masked = args.epilogue == 2, signs = relu && args.bits != 0;
  zero(y - args.pad, args.pad);
  for (let block = 0; block < args.blocks; block++) {
    for (let h = 0; h < args.rows; h++) {
      for (let c = 0; c < args.channels; c++) {
        const offset = block * args.block + h * args.row + c * args.channel;
        let q = a + offset, r = b + offset, s = y + offset;
        for (const end = s + (args.tiles << 7); s < end; q += 128, r += 128, s += 128) {
          let v0 = v128.load(q), v1 = v128.load(q, 16), v2 = v128.load(q, 32), v3 = v128.load(q, 48);
          let v4 = v128.load(q, 64), v5 = v128.load(q, 80), v6 = v128.load(q, 96), v7 = v128.load(q, 112);
          if (second) {
            v0 = f32x4.add(v0, v128.load(r)); v1 = f32x4.add(v1, v128.load(r, 16));
            v2 = f32x4.add(v2, v128.load(r, 32)); v3 = f32x4.add(v3, v128.load(r, 48));
            v4 = f32x4.add(v4, v128.load(r, 64)); v5 = f32x4.add(v5, v128.load(r, 80));
            v6 = f32x4.add(v6, v128.load(r, 96)); v7 = f32x4.add(v7, v128.load(r, 112));
          }
          if (signs) {
            store<u32>(bits, signBits(v0, v1, v2, v3, v4, v5, v6, v7));
            bits += 4;
          }
          if (relu) {
            v0 = positive(v0); v1 = positive(v1); v2 = positive(v2); v3 = positive(v3);
            v4 = positive(v4); v5 = positive(v5); v6 = positive(v6); v7 = positive(v7);
          }
          if (masked) {
            const word = v128.load_splat<u32>(bits);
            bits += 4;
            v0 = keepBits(v0, word, 0); v1 = keepBits(v1, word, 1); v2 = keepBits(v2, word, 2); v3 = keepBits(v3, word, 3);
            v4 = keepBits(v4, word, 4); v5 = keepBits(v5, word, 5); v6 = keepBits(v6, word, 6); v7 = keepBits(v7, word, 7);
          }
          v128.store(s, v0); v128.store(s, v1, 16); v128.store(s, v2, 32); v128.store(s, v3, 48);
          v128.store(s, v4, 64); v128.store(s, v5, 80); v128.store(s, v6, 96); v128.store(s, v7, 112);
        }
        zero(s, args.pad);
      }
    }
  }
}
