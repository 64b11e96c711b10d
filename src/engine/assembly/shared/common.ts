// Functions and addresses that all kernels share.

/** This thread's number; 0 is the main thread. Set once by the host. */
export let thread: i32 = 0;

/** An address that always holds zeros (src/engine/runtime/control.ts). */
export const ZEROS: usize = 8192;

/** accumulator + weight · x; one rounding in the relaxed build where the CPU has a fused instruction. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(accumulator: v128, weight: v128, x: v128): v128 {
  return RELAXED ? f32x4.relaxed_madd(weight, x, accumulator) : f32x4.add(accumulator, f32x4.mul(weight, x));
}

/** max(x, 0); NaN stays NaN, −0 becomes 0. */
// @ts-ignore: decorator
@inline
export function positive(x: v128): v128 {
  return v128.andnot(x, f32x4.le(x, f32x4.splat(0)));
}

/** The larger of two, NaN where either is: pmax gives its first operand then, so that one of both orders gives the NaN. */
// @ts-ignore: decorator
@inline
export function larger(a: v128, b: v128): v128 {
  return v128.or(f32x4.pmax(a, b), f32x4.pmax(b, a));
}

/**
 * The address of a task's part of a buffer. A stride from 0 on is the distance between the parts of two tasks; a
 * negative one means scratch memory that each thread has for itself.
 */
// @ts-ignore: decorator
@inline
export function part(pointer: usize, stride: i32, task: i32): usize {
  return stride >= 0 ? pointer + <usize>stride * <usize>task : pointer + <usize>-stride * <usize>thread;
}

/** Zeros `bytes` (a multiple of 16) from `pointer` on. */
// @ts-ignore: decorator
@inline
export function zero(pointer: usize, bytes: i32): void {
  const end = pointer + <usize>bytes;
  for (; pointer < end; pointer += 16) v128.store(pointer, f32x4.splat(0));
}

/**
 * Where the rows of the input end, in its block, that the output's row of an entry of a table of rows reads, or a little
 * beyond: all of the block where the table does not say how far apart rows are.
 */
// @ts-ignore: decorator
@inline
export function endOfRows(entry: usize, hasNext: bool, groups: i32, block: i32): i32 {
  const offset = load<i32>(entry, 8);
  return hasNext ? min(block, offset + groups * (load<i32>(entry, 24) - offset)) : block;
}

/** Reads a word of each cache line: what is soon read in no order comes from memory in order, and faster. */
export function touch(pointer: usize, bytes: i32): void {
  for (const end = pointer + bytes; pointer < end; pointer += 64) load<u32>(pointer);
}

/** Four floats, or the first `count` of them with zeros after: as many as there are before the end of something. */
// @ts-ignore: decorator
@inline
export function loadLanes(p: usize, count: i32): v128 {
  if (count >= 4) return v128.load(p);
  if (count == 1) return v128.load_zero<f32>(p);
  const two = v128.load_zero<f64>(p);
  return count == 2 ? two : v128.load_lane<f32>(p, two, 2, 8);
}

/** The first `count` of four floats, or all. */
// @ts-ignore: decorator
@inline
export function storeLanes(p: usize, v: v128, count: i32): void {
  if (count >= 4) {
    v128.store(p, v);
    return;
  }
  v128.store_lane<f32>(p, v, 0);
  if (count > 1) v128.store_lane<f32>(p, v, 1, 4);
  if (count > 2) v128.store_lane<f32>(p, v, 2, 8);
}

/** Sum of the four lanes, in a fixed order. */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** One bit for each lane that positive() keeps, those of NaN among them: they share its comparison. */
// @ts-ignore: decorator
@inline
export function keptLanes(v: v128): i32 {
  return i32x4.bitmask(f32x4.le(v, f32x4.splat(0))) ^ 15;
}

/** The signs of 8 vectors as bits; lane 0 of the first is bit 0. */
// @ts-ignore: decorator
@inline
export function signBits(v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, v6: v128, v7: v128): u32 {
  const zeros = f32x4.splat(0);
  return <u32>~(
    i32x4.bitmask(f32x4.le(v0, zeros)) | (i32x4.bitmask(f32x4.le(v1, zeros)) << 4) |
    (i32x4.bitmask(f32x4.le(v2, zeros)) << 8) | (i32x4.bitmask(f32x4.le(v3, zeros)) << 12) |
    (i32x4.bitmask(f32x4.le(v4, zeros)) << 16) | (i32x4.bitmask(f32x4.le(v5, zeros)) << 20) |
    (i32x4.bitmask(f32x4.le(v6, zeros)) << 24) | (i32x4.bitmask(f32x4.le(v7, zeros)) << 28)
  );
}

/** `v` where the bits of vector `index` in `word` (every lane the same) are set, else 0. */
// @ts-ignore: decorator
@inline
export function keepBits(v: v128, word: v128, index: i32): v128 {
  // No shift, whose count would differ between vectors: V8 could not make one 256-bit instruction of two.
  const lanes = i32x4(1 << (index << 2), 2 << (index << 2), 4 << (index << 2), 8 << (index << 2));
  return v128.and(v, i32x4.eq(v128.and(word, lanes), lanes));
}
