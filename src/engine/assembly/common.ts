// What all kernels share.

/** This thread's number; 0 is the main thread. Set once by the host. */
export let thread: i32 = 0;

/** An address that always holds zeros (src/engine/control.ts). */
export const ZEROS: usize = 8192;

/** accumulator + weight · x; one rounding in the relaxed build where the CPU has a fused instruction. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(accumulator: v128, weight: v128, x: v128): v128 {
  return RELAXED ? f32x4.relaxed_madd(weight, x, accumulator) : f32x4.add(accumulator, f32x4.mul(weight, x));
}

// @ts-ignore: decorator
@inline
export function positive(x: v128): v128 {
  return v128.and(x, f32x4.gt(x, f32x4.splat(0)));
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
