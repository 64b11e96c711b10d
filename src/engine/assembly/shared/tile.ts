// The register tile of dense products: the outer products of values of a, splatted, with vectors of b, added up over k.
//
//                     b   [k][vector 0 | vector 1 | …]      `bStep` bytes from one k to the next
//   a   [lane 0][k]       [sum 0         sum 1        …]
//       [lane 1][k]       [sum 4         sum 5        …]    `aLane` bytes between lanes, `aStep` between k
//
// Two lanes of four vectors fill the registers; two vectors do for columns that are left over. k goes over runs, so that
// a convolution's window, or the rows of an image, are one product:
//
//   runs   [byte offset in a | first k in b | length] …
import { multiplyAdd, positive, zero } from './common';

/** Columns of a panel of b, and of the one that takes up to eight columns left over. */
export const WIDE = 16;
export const NARROW = 8;
/** Lanes of a tile. */
export const LANES = 2;

/** Floats one by one, fewer than a panel has columns. */
export function copyFew(to: usize, from: usize, columns: i32): void {
  for (let i = 0; i < columns; i++) store<f32>(to + (i << 2), load<f32>(from + (i << 2)));
}

/** One row of a panel from up to 16 contiguous columns, with zeros after them; returns where the next row begins. */
// @ts-ignore: decorator
@inline
export function packRow(b: usize, from: usize, columns: i32): usize {
  if (columns == WIDE) {
    v128.store(b, v128.load(from));
    v128.store(b, v128.load(from, 16), 16);
    v128.store(b, v128.load(from, 32), 32);
    v128.store(b, v128.load(from, 48), 48);
    return b + (WIDE << 2);
  }
  const width = columns > NARROW ? WIDE : NARROW;
  zero(b, width << 2);
  copyFew(b, from, columns);
  return b + (width << 2);
}

/**
 * y = init + Σ a · b, then ReLU if asked for.
 *
 * @param init first sums: a row a lane, `initStep` bytes apart; `y` and `yStep` likewise
 */
export function wideTile(
  a: usize, aLane: i32, aStep: i32, b: usize, bStep: i32, runs: usize, runsEnd: usize,
  init: usize, initStep: i32, y: usize, yStep: i32, relu: bool,
): void {
  tile(4, a, aLane, aStep, b, bStep, runs, runsEnd, init, initStep, y, yStep, relu);
}

export function narrowTile(
  a: usize, aLane: i32, aStep: i32, b: usize, bStep: i32, runs: usize, runsEnd: usize,
  init: usize, initStep: i32, y: usize, yStep: i32, relu: bool,
): void {
  tile(2, a, aLane, aStep, b, bStep, runs, runsEnd, init, initStep, y, yStep, relu);
}

// @ts-ignore: decorator
@inline
function tile(
  vectors: i32, a: usize, aLane: i32, aStep: i32, b: usize, bStep: i32, runs: usize, runsEnd: usize,
  init: usize, initStep: i32, y: usize, yStep: i32, relu: bool,
): void {
  const four = vectors == 4, second = init + initStep, none = f32x4.splat(0);
  let s0 = v128.load(init), s1 = v128.load(init, 16), s4 = v128.load(second), s5 = v128.load(second, 16);
  let s2 = four ? v128.load(init, 32) : none, s3 = four ? v128.load(init, 48) : none;
  let s6 = four ? v128.load(second, 32) : none, s7 = four ? v128.load(second, 48) : none;
  for (; runs < runsEnd; runs += 12) {
    let x0 = a + load<i32>(runs), x1 = x0 + aLane, p = b + load<i32>(runs, 4) * bStep;
    const end = p + load<i32>(runs, 8) * bStep;
    while (p < end) {
      const b0 = v128.load(p), b1 = v128.load(p, 16);
      const b2 = four ? v128.load(p, 32) : none, b3 = four ? v128.load(p, 48) : none;
      const a0 = v128.load_splat<f32>(x0);
      s0 = multiplyAdd(s0, a0, b0);
      s1 = multiplyAdd(s1, a0, b1);
      if (four) {
        s2 = multiplyAdd(s2, a0, b2);
        s3 = multiplyAdd(s3, a0, b3);
      }
      const a1 = v128.load_splat<f32>(x1);
      s4 = multiplyAdd(s4, a1, b0);
      s5 = multiplyAdd(s5, a1, b1);
      if (four) {
        s6 = multiplyAdd(s6, a1, b2);
        s7 = multiplyAdd(s7, a1, b3);
      }
      x0 += aStep; x1 += aStep; p += bStep;
    }
  }
  if (relu) {
    s0 = positive(s0); s1 = positive(s1); s2 = positive(s2); s3 = positive(s3);
    s4 = positive(s4); s5 = positive(s5); s6 = positive(s6); s7 = positive(s7);
  }
  const below = y + yStep;
  v128.store(y, s0);
  v128.store(y, s1, 16);
  if (four) {
    v128.store(y, s2, 32);
    v128.store(y, s3, 48);
  }
  v128.store(below, s4);
  v128.store(below, s5, 16);
  if (four) {
    v128.store(below, s6, 32);
    v128.store(below, s7, 48);
  }
}
