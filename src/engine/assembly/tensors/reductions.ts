// Reductions of the middle of [outer, length, inner], in f64.
//
//            inner = 1                              inner > 1
//   outer 0  | r0 r1 r2 r3 r4 r5 … | → y0           | c0 c1 c2 … |  row 0
//   outer 1  | r0 r1 r2 r3 r4 r5 … | → y1           | c0 c1 c2 … |  row 1
//   …        4 sums of 2 lanes, 8 values a turn     ↓  4 columns a turn, down the rows
//
// Long reductions are cut into parts of a fixed length whose results, in f64, `reduceParts` reduces in order. A unit is one
// part of one outer index (and of one block of columns); a task takes some units.
import { exp } from '../shared/exponential';

@unmanaged
class Reduce {
  /** 0 sum, 1 product, 2 maximum, 3 minimum */
  operation: i32;
  /** of x and y: 0 float32, 1 int32, 2 bool */
  type: i32;
  x: usize;
  y: usize;
  outer: u32;
  length: u32;
  inner: u32;
  /** rows of a part, and parts of a reduction */
  part: u32;
  parts: u32;
  /** columns of a block, and blocks */
  columns: u32;
  blocks: u32;
  /** units of a task */
  chunk: u32;
  /** what the result is divided by: the length for a mean, else 1 */
  divisor: u32;
}

@unmanaged
class Float {
  // @ts-ignore: decorator
  @inline
  size(): u32 { return 2; }
  // @ts-ignore: decorator
  @inline
  low(p: usize): v128 { return f64x2.promote_low_f32x4(v128.load64_zero(p)); }
  // @ts-ignore: decorator
  @inline
  high(p: usize): v128 { return f64x2.promote_low_f32x4(v128.load64_zero(p, 8)); }
  // @ts-ignore: decorator
  @inline
  one(p: usize): f64 { return <f64>load<f32>(p); }
  // @ts-ignore: decorator
  @inline
  put(p: usize, value: f64): void { store<f32>(p, <f32>value); }
}

@unmanaged
class Int {
  // @ts-ignore: decorator
  @inline
  size(): u32 { return 2; }
  // @ts-ignore: decorator
  @inline
  low(p: usize): v128 { return f64x2.convert_low_i32x4_s(v128.load64_zero(p)); }
  // @ts-ignore: decorator
  @inline
  high(p: usize): v128 { return f64x2.convert_low_i32x4_s(v128.load64_zero(p, 8)); }
  // @ts-ignore: decorator
  @inline
  one(p: usize): f64 { return <f64>load<i32>(p); }
  // @ts-ignore: decorator
  @inline
  put(p: usize, value: f64): void { store<i32>(p, <i32>(<i64>value)); }
}

@unmanaged
class Bool {
  // @ts-ignore: decorator
  @inline
  size(): u32 { return 0; }
  // @ts-ignore: decorator
  @inline
  low(p: usize): v128 { return f64x2(load<u8>(p), load<u8>(p, 1)); }
  // @ts-ignore: decorator
  @inline
  high(p: usize): v128 { return f64x2(load<u8>(p, 2), load<u8>(p, 3)); }
  // @ts-ignore: decorator
  @inline
  one(p: usize): f64 { return <f64>load<u8>(p); }
  // @ts-ignore: decorator
  @inline
  put(p: usize, value: f64): void { store<u8>(p, value != 0 ? 1 : 0); }
}

@unmanaged
class Sum {
  // @ts-ignore: decorator
  @inline
  start(): f64 { return 0; }
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f64x2.add(a, b); }
}

@unmanaged
class Product {
  // @ts-ignore: decorator
  @inline
  start(): f64 { return 1; }
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f64x2.mul(a, b); }
}

@unmanaged
class Maximum {
  // @ts-ignore: decorator
  @inline
  start(): f64 { return -Infinity; }
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f64x2.max(a, b); }
}

@unmanaged
class Minimum {
  // @ts-ignore: decorator
  @inline
  start(): f64 { return Infinity; }
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f64x2.min(a, b); }
}

// @ts-ignore: decorator
@inline
function scalar<Op>(a: f64, b: f64): f64 {
  return f64x2.extract_lane(changetype<Op>(0).vector(f64x2.splat(a), f64x2.splat(b)), 0);
}

/** The reduction of `count` neighbouring values. */
function overRow<Op, Type>(x: usize, count: u32): f64 {
  const op = changetype<Op>(0), type = changetype<Type>(0), size = type.size();
  const end = x + (<usize>count << size), bulk = x + (<usize>(count & ~7) << size);
  const step: usize = 4 << size;
  let s0 = f64x2.splat(op.start()), s1 = s0, s2 = s0, s3 = s0;
  while (x < bulk) {
    s0 = op.vector(s0, type.low(x));
    s1 = op.vector(s1, type.high(x));
    s2 = op.vector(s2, type.low(x + step));
    s3 = op.vector(s3, type.high(x + step));
    x += step << 1;
  }
  const s = op.vector(op.vector(s0, s1), op.vector(s2, s3));
  let result = scalar<Op>(f64x2.extract_lane(s, 0), f64x2.extract_lane(s, 1));
  for (; x < end; x += 1 << size) result = scalar<Op>(result, type.one(x));
  return result;
}

function reduceUnit<Op, Type>(unit: u32, args: Reduce): void {
  const op = changetype<Op>(0), type = changetype<Type>(0), size = type.size();
  const block = unit % args.blocks, piece = unit / args.blocks, partOf = piece % args.parts, outer = piece / args.parts;
  const inner = args.inner, first = partOf * args.part, rows = min(args.part, args.length - first);
  const x = args.x + ((<usize>outer * args.length + first) * inner << size);
  const index = piece * inner;
  if (inner == 1) {
    finish<Type>(args, index, overRow<Op, Type>(x, rows));
    return;
  }
  let column = block * args.columns;
  const end = min(column + args.columns, inner), bulk = column + ((end - column) & ~3);
  const stride = <usize>inner << size;
  for (; column < bulk; column += 4) {
    let low = f64x2.splat(op.start()), high = low, p = x + (<usize>column << size);
    for (let row: u32 = 0; row < rows; row++, p += stride) {
      low = op.vector(low, type.low(p));
      high = op.vector(high, type.high(p));
    }
    finish<Type>(args, index + column, f64x2.extract_lane(low, 0));
    finish<Type>(args, index + column + 1, f64x2.extract_lane(low, 1));
    finish<Type>(args, index + column + 2, f64x2.extract_lane(high, 0));
    finish<Type>(args, index + column + 3, f64x2.extract_lane(high, 1));
  }
  for (; column < end; column++) {
    let result = op.start(), p = x + (<usize>column << size);
    for (let row: u32 = 0; row < rows; row++, p += stride) result = scalar<Op>(result, type.one(p));
    finish<Type>(args, index + column, result);
  }
}

/** The result of a part, or of all where there is one part. */
// @ts-ignore: decorator
@inline
function finish<Type>(args: Reduce, index: u32, value: f64): void {
  const type = changetype<Type>(0);
  if (args.parts > 1) store<f64>(args.y + (<usize>index << 3), value);
  else type.put(args.y + (<usize>index << type.size()), value / <f64>args.divisor);
}

function reduceUnits<Op, Type>(task: i32, args: Reduce): void {
  let unit = <u32>task * args.chunk;
  const end = min(unit + args.chunk, args.outer * args.parts * args.blocks);
  for (; unit < end; unit++) reduceUnit<Op, Type>(unit, args);
}

// @ts-ignore: decorator
@inline
function reduceOf<Type>(task: i32, args: Reduce): void {
  switch (args.operation) {
    case 0: return reduceUnits<Sum, Type>(task, args);
    case 1: return reduceUnits<Product, Type>(task, args);
    case 2: return reduceUnits<Maximum, Type>(task, args);
    case 3: return reduceUnits<Minimum, Type>(task, args);
    default: unreachable();
  }
}

export function reduce(task: i32, args: Reduce): void {
  switch (args.type) {
    case 0: return reduceOf<Float>(task, args);
    case 1: return reduceOf<Int>(task, args);
    case 2: return reduceOf<Bool>(task, args);
    default: unreachable();
  }
}

@unmanaged
class ReduceParts {
  operation: i32;
  type: i32;
  /** [outer, parts, inner] of f64 */
  x: usize;
  y: usize;
  outer: u32;
  parts: u32;
  inner: u32;
  divisor: u32;
}

// @ts-ignore: decorator
@inline
function joined(operation: i32, a: f64, b: f64): f64 {
  if (operation == 0) return a + b;
  if (operation == 1) return a * b;
  return operation == 2 ? max(a, b) : min(a, b);
}

export function reduceParts(task: i32, args: ReduceParts): void {
  const inner = args.inner;
  for (let index: u32 = 0; index < args.outer * inner; index++) {
    const outer = index / inner;
    let p = args.x + (<usize>(outer * args.parts * inner + index % inner) << 3);
    let value = load<f64>(p);
    for (let k: u32 = 1; k < args.parts; k++) {
      p += <usize>inner << 3;
      value = joined(args.operation, value, load<f64>(p));
    }
    value /= <f64>args.divisor;
    if (args.type == 0) changetype<Float>(0).put(args.y + (<usize>index << 2), value);
    else if (args.type == 1) changetype<Int>(0).put(args.y + (<usize>index << 2), value);
    else changetype<Bool>(0).put(args.y + index, value);
  }
}

@unmanaged
class Arg {
  /** 0 maximum, 1 minimum */
  operation: i32;
  x: usize;
  y: usize;
  outer: u32;
  length: u32;
  inner: u32;
  /** results of a task */
  chunk: u32;
}

/** The index of the first largest or smallest of [outer, length, inner] along length; a NaN that comes first stays. */
export function arg(task: i32, args: Arg): void {
  const inner = args.inner, stride = <usize>inner << 2, smallest = args.operation == 1;
  let index = <u32>task * args.chunk;
  const end = min(index + args.chunk, args.outer * inner);
  for (; index < end; index++) {
    let p = args.x + (<usize>(index / inner) * args.length * inner + index % inner << 2);
    let best = load<f32>(p), at: u32 = 0;
    for (let i: u32 = 1; i < args.length; i++) {
      p += stride;
      const value = load<f32>(p);
      if (smallest ? value < best : value > best) {
        best = value;
        at = i;
      }
    }
    store<u32>(args.y + (<usize>index << 2), at);
  }
}

@unmanaged
class Softmax {
  x: usize;
  y: usize;
  rows: u32;
  length: u32;
  /** rows of a task */
  chunk: u32;
}

/** exp(x − max x) / Σ exp(x − max x) of each row, each step rounded to f32 as the ops that it is made of would. */
export function softmax(task: i32, args: Softmax): void {
  const length = args.length;
  const first = <u32>task * args.chunk, last = min(first + args.chunk, args.rows);
  for (let row = first; row < last; row++) {
    const x = args.x + (<usize>row * length << 2), y = args.y + (<usize>row * length << 2), bytes = <usize>length << 2;
    const top = f32x4.splat(<f32>overRow<Maximum, Float>(x, length));
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) v128.store(y + i, exp(f32x4.sub(v128.load(x + i), top)));
    for (; i < bytes; i += 4) v128.store_lane<f32>(y + i, exp(f32x4.sub(v128.load_splat<f32>(x + i), top)), 0);
    const sum = <f32>overRow<Sum, Float>(y, length);
    for (i = 0; i < bytes; i += 4) store<f32>(y + i, load<f32>(y + i) / sum);
  }
}

@unmanaged
class Cumsum {
  x: usize;
  y: usize;
  rows: u32;
  length: u32;
  exclusive: i32;
  reverse: i32;
  /** rows of a task */
  chunk: u32;
}

/** Running sums of each row, rounded to f32 at each step. */
export function cumsum(task: i32, args: Cumsum): void {
  const length = args.length;
  const first = <u32>task * args.chunk, last = min(first + args.chunk, args.rows);
  for (let row = first; row < last; row++) {
    const from = <usize>(args.reverse ? (row + 1) * length - 1 : row * length) << 2;
    const step: i32 = args.reverse ? -4 : 4;
    let x = args.x + from, y = args.y + from, sum: f32 = 0;
    for (let i: u32 = 0; i < length; i++, x += <usize>step, y += <usize>step) {
      const value = load<f32>(x);
      if (args.exclusive) store<f32>(y, sum);
      sum = i == 0 ? value : sum + value;
      if (!args.exclusive) store<f32>(y, sum);
    }
  }
}
