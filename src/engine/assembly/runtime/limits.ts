// What this machine can do at most, in the same build as the kernels: the bench compares them with it.
import { multiplyAdd } from '../shared/common';

@unmanaged
class MultiplyAdds {
  /** 32 bytes a task, so that the work is not dead */
  y: usize;
  steps: i32;
}

/**
 * Another link of a chain: a + x · x as kernels have it where that is one instruction; else x + x · a, whose product no
 * compiler can take out of the loop.
 */
// @ts-ignore: decorator
@inline
function link(a: v128, x: v128): v128 {
  return RELAXED ? multiplyAdd(a, x, x) : multiplyAdd(x, a, x);
}

/**
 * 12 chains of multiply-adds in registers, or 12 pairs of them, `steps` of 4 lanes each: more than latency needs, all that
 * registers hold.
 */
export function multiplyAdds(task: i32, args: MultiplyAdds): void {
  // V8 makes a constant anew at each use: costly beside fused multiply-adds, but else it saves a register.
  const factor: f32 = RELAXED ? 1 / <f32>(args.steps + 2) : 0.999;
  const x = f32x4.splat(factor), w = f32x4.splat(<f32>task);
  let a0 = w, a1 = w, a2 = w, a3 = w, a4 = w, a5 = w, a6 = w, a7 = w, a8 = w, a9 = w, a10 = w, a11 = w;
  let b0 = w, b1 = w, b2 = w, b3 = w, b4 = w, b5 = w, b6 = w, b7 = w, b8 = w, b9 = w, b10 = w, b11 = w;
  for (let i = args.steps; i > 0; i--) {
    a0 = link(a0, x); a1 = link(a1, x); a2 = link(a2, x); a3 = link(a3, x); a4 = link(a4, x); a5 = link(a5, x);
    a6 = link(a6, x); a7 = link(a7, x); a8 = link(a8, x); a9 = link(a9, x); a10 = link(a10, x); a11 = link(a11, x);
    if (WIDE) {
      b0 = link(b0, x); b1 = link(b1, x); b2 = link(b2, x); b3 = link(b3, x); b4 = link(b4, x); b5 = link(b5, x);
      b6 = link(b6, x); b7 = link(b7, x); b8 = link(b8, x); b9 = link(b9, x); b10 = link(b10, x); b11 = link(b11, x);
    }
  }
  const y = args.y + (<usize>task << 5);
  const low = sum(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11);
  const high = sum(b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11);
  v128.store(y, low);
  v128.store(y, high, 16);
}

// @ts-ignore: decorator
@inline
function sum(
  v0: v128, v1: v128, v2: v128, v3: v128, v4: v128, v5: v128, v6: v128, v7: v128, v8: v128, v9: v128, v10: v128, v11: v128,
): v128 {
  const first = f32x4.add(f32x4.add(f32x4.add(v0, v1), f32x4.add(v2, v3)), f32x4.add(v4, v5));
  const last = f32x4.add(f32x4.add(f32x4.add(v6, v7), f32x4.add(v8, v9)), f32x4.add(v10, v11));
  return f32x4.add(first, last);
}

@unmanaged
class Meet {
  /** address of a 32-bit 0 */
  arrived: usize;
  threads: i32;
}

/** Ends when as many threads have come as there are tasks: all that such a job takes is handing it to them and back. */
export function meet(task: i32, args: Meet): void {
  atomic.add<i32>(args.arrived, 1);
  while (atomic.load<i32>(args.arrived) < args.threads) {}
}

@unmanaged
class Triad {
  x: usize;
  z: usize;
  y: usize;
  /** bytes of each array that a task takes, a multiple of 64 */
  bytes: i32;
  repeats: i32;
}

/** y = x + 3 · z over a task's part, again and again: STREAM's triad (McCalpin 1995). */
export function triad(task: i32, args: Triad): void {
  const three = f32x4.splat(3), from = <usize>task * <usize>args.bytes;
  for (let r = args.repeats; r > 0; r--) {
    let x = args.x + from, z = args.z + from, y = args.y + from;
    for (const end = x + <usize>args.bytes; x < end; x += 64) {
      const a = multiplyAdd(v128.load(x), three, v128.load(z)), b = multiplyAdd(v128.load(x, 16), three, v128.load(z, 16));
      const c = multiplyAdd(v128.load(x, 32), three, v128.load(z, 32)), d = multiplyAdd(v128.load(x, 48), three, v128.load(z, 48));
      v128.store(y, a); v128.store(y, b, 16); v128.store(y, c, 32); v128.store(y, d, 48);
      z += 64; y += 64;
    }
  }
}
