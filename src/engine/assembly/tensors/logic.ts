// Kernels on truth values (bytes of 0 or 1) and between types.
//
//   words  |v0|v0|v0|v0|v1|v1|v1|v1| …     four values a turn, then single ones
//   bytes  |b0 b0 b0 b0 b1 b1 b1 b1| …

/** Four bytes as 32-bit lanes. */
// @ts-ignore: decorator
@inline
function widened(bytes: usize): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(bytes)));
}

@unmanaged
class Select {
  condition: usize;
  t: usize;
  e: usize;
  y: usize;
  length: u32;
  chunk: u32;
}

/** y = t where the condition is 1, else e; values of 32 bits. */
export function select(task: i32, args: Select): void {
  let index = <u32>task * args.chunk;
  const end = min(index + args.chunk, args.length), bulk = index + ((end - index) & ~3);
  const condition = args.condition, t = args.t, e = args.e, y = args.y;
  for (; index < bulk; index += 4) {
    const mask = i32x4.eq(widened(condition + index), i32x4.splat(1)), offset = <usize>index << 2;
    v128.store(y + offset, v128.bitselect(v128.load(t + offset), v128.load(e + offset), mask));
  }
  for (; index < end; index++) {
    const offset = <usize>index << 2;
    store<u32>(y + offset, load<u32>((load<u8>(condition + index) == 1 ? t : e) + offset));
  }
}

@unmanaged
class Logical {
  /** 0 and, 1 or, 2 not (of a) */
  operation: i32;
  a: usize;
  b: usize;
  y: usize;
  length: u32;
  chunk: u32;
}

// @ts-ignore: decorator
@inline
function truth(a: v128, b: v128, operation: i32): v128 {
  const zero = i8x16.splat(0), notA = i8x16.eq(a, zero), notB = i8x16.eq(b, zero);
  const not = operation == 0 ? v128.or(notA, notB) : operation == 1 ? v128.and(notA, notB) : v128.not(notA);
  return v128.andnot(i8x16.splat(1), not);
}

export function logical(task: i32, args: Logical): void {
  const first = <usize>task * args.chunk, count = min(args.chunk, args.length - <u32>first), operation = args.operation;
  let a = args.a + first, b = args.b + first, y = args.y + first;
  const end = a + count, bulk = a + (count & ~15);
  for (; a < bulk; a += 16, b += 16, y += 16) v128.store(y, truth(v128.load(a), v128.load(b), operation));
  for (; a < end; a++, b++, y++) {
    v128.store_lane<u8>(y, truth(v128.load_splat<u8>(a), v128.load_splat<u8>(b), operation), 0);
  }
}

@unmanaged
class Cast {
  /** the conversion's number in src/engine/kernels/logic.ts */
  operation: i32;
  x: usize;
  y: usize;
  length: u32;
  chunk: u32;
}

/** The remainder of a whole number by 2³², as JavaScript converts to 32 bits; 0 for NaN and infinities. */
// @ts-ignore: decorator
@inline
function wrapped(x: f32): i32 {
  return Mathf.abs(x) < 9.223372036854775807e18 ? <i32>(<i64>x) : 0;
}

export function cast(task: i32, args: Cast): void {
  let index = <usize>task * args.chunk;
  const end = min(index + args.chunk, <usize>args.length), bulk = index + ((end - index) & ~3);
  const x = args.x, y = args.y;
  switch (args.operation) {
    case 0: // float32 to int32
      for (; index < end; index++) store<i32>(y + (index << 2), wrapped(load<f32>(x + (index << 2))));
      return;
    case 1: // int32 to float32
      for (; index < bulk; index += 4) v128.store(y + (index << 2), f32x4.convert_i32x4_s(v128.load(x + (index << 2))));
      for (; index < end; index++) store<f32>(y + (index << 2), <f32>load<i32>(x + (index << 2)));
      return;
    case 2: // bool to float32
      for (; index < bulk; index += 4) v128.store(y + (index << 2), f32x4.convert_i32x4_u(widened(x + index)));
      for (; index < end; index++) store<f32>(y + (index << 2), <f32>load<u8>(x + index));
      return;
    case 3: // bool to int32
      for (; index < bulk; index += 4) v128.store(y + (index << 2), widened(x + index));
      for (; index < end; index++) store<i32>(y + (index << 2), load<u8>(x + index));
      return;
    case 4: // float32 to bool
      for (; index < end; index++) store<u8>(y + index, <u8>(load<f32>(x + (index << 2)) != 0));
      return;
    case 5: // int32 to bool
      for (; index < end; index++) store<u8>(y + index, <u8>(load<i32>(x + (index << 2)) != 0));
      return;
    default: unreachable();
  }
}
