// y = f(a, b) over up to six dimensions, y contiguous, a and b with a stride for each dimension (in values, 0 where they
// are repeated). Neighbouring dimensions are merged before, so that most calls have one or two:
//
//   same shape        y | a + b |                     sizes [n]       strides a [1]     b [1]
//   scalar            y | a + b |                           [n]                 [1]       [0]
//   one a row         y | a + b₀ | a + b₁ | …               [rows, n]           [n, 1]    [1, 0]
//   one a column      y | a + b | a + b | …                 [rows, n]           [n, 1]    [0, 1]
//
// A task takes `chunk` values of y from anywhere within a row on; a row is vectors of four lanes, then single values, which
// take lane 0 of the same vector code.

@unmanaged
class Binary {
  /** the operation's number in src/engine/kernels/binary.ts */
  operation: i32;
  a: usize;
  b: usize;
  y: usize;
  length: u32;
  chunk: u32;
  size0: u32;
  size1: u32;
  size2: u32;
  size3: u32;
  size4: u32;
  size5: u32;
  a0: u32;
  a1: u32;
  a2: u32;
  a3: u32;
  a4: u32;
  a5: u32;
  b0: u32;
  b1: u32;
  b2: u32;
  b3: u32;
  b4: u32;
  b5: u32;
}

/** An operation whose results are 32-bit values. */
@unmanaged
class Words extends Binary {
  // @ts-ignore: decorator
  @inline
  put(y: usize, index: u32, v: v128): void { v128.store(y + (<usize>index << 2), v); }

  // @ts-ignore: decorator
  @inline
  putOne(y: usize, index: u32, v: v128): void { v128.store_lane<u32>(y + (<usize>index << 2), v, 0); }
}

/** An operation whose results are masks, stored as bytes of 0 or 1. */
@unmanaged
class Truths extends Binary {
  // @ts-ignore: decorator
  @inline
  put(y: usize, index: u32, mask: v128): void {
    const words = v128.and(mask, i32x4.splat(1));
    const halves = i16x8.narrow_i32x4_s(words, words);
    v128.store_lane<u32>(y + index, i8x16.narrow_i16x8_s(halves, halves), 0);
  }

  // @ts-ignore: decorator
  @inline
  putOne(y: usize, index: u32, mask: v128): void { store<u8>(y + index, <u8>(i32x4.extract_lane(mask, 0) & 1)); }
}

@unmanaged
class Add extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.add(a, b); }
}

@unmanaged
class Sub extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.sub(a, b); }
}

@unmanaged
class Multiply extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
}

@unmanaged
class RealDiv extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.div(a, b); }
}

@unmanaged
class Maximum extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.max(a, b); }
}

@unmanaged
class Minimum extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.min(a, b); }
}

@unmanaged
class SquaredDifference extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 {
    const difference = f32x4.sub(a, b);
    return f32x4.mul(difference, difference);
  }
}

@unmanaged
class Greater extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.gt(a, b); }
}

@unmanaged
class GreaterEqual extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.ge(a, b); }
}

@unmanaged
class Equal extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.eq(a, b); }
}

@unmanaged
class NotEqual extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return f32x4.ne(a, b); }
}

@unmanaged
class GreaterInt extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.gt_s(a, b); }
}

@unmanaged
class GreaterEqualInt extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.ge_s(a, b); }
}

@unmanaged
class EqualInt extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.eq(a, b); }
}

@unmanaged
class NotEqualInt extends Truths {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.ne(a, b); }
}

@unmanaged
class AddInt extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.add(a, b); }
}

@unmanaged
class SubInt extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.sub(a, b); }
}

@unmanaged
class MaximumInt extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.max_s(a, b); }
}

@unmanaged
class MinimumInt extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return i32x4.min_s(a, b); }
}

/** The gradient a of an exponential linear unit whose result was b. */
@unmanaged
class EluGradient extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 {
    const falling = f32x4.mul(a, f32x4.add(b, f32x4.splat(1)));
    return v128.bitselect(a, falling, f32x4.ge(b, f32x4.splat(0)));
  }
}

/** a, or b times a where a is negative. */
@unmanaged
class Prelu extends Words {
  // @ts-ignore: decorator
  @inline
  vector(a: v128, b: v128): v128 { return v128.bitselect(f32x4.mul(a, b), a, f32x4.lt(a, f32x4.splat(0))); }
}

function broadcast<Op extends Binary>(task: i32, args: Binary): void {
  const op = changetype<Op>(args);
  let index = <u32>task * args.chunk;
  const end = min(index + args.chunk, args.length), width = args.size5;
  while (index < end) {
    let rest = index / width;
    const column = index - rest * width, count = min(width - column, end - index);
    let a = column * args.a5, b = column * args.b5;
    // The row's coordinates from the last on; the sizes lie one word before the next, the strides 6 and 12 words after.
    for (let size = changetype<usize>(args) + offsetof<Binary>('size4'); rest != 0; size -= 4) {
      const outer = rest / load<u32>(size), coordinate = rest - outer * load<u32>(size);
      a += coordinate * load<u32>(size, 24);
      b += coordinate * load<u32>(size, 48);
      rest = outer;
    }
    row<Op>(op, args.a + (<usize>a << 2), args.b + (<usize>b << 2), index, count);
    index += count;
  }
}

function row<Op extends Binary>(op: Op, a: usize, b: usize, index: u32, count: u32): void {
  const end = index + count, bulk = index + (count & ~3), y = op.y;
  if (op.a5 == 0) {
    const left = v128.load_splat<u32>(a);
    for (; index < bulk; index += 4, b += 16) op.put(y, index, op.vector(left, v128.load(b)));
    for (; index < end; index++, b += 4) op.putOne(y, index, op.vector(left, v128.load_splat<u32>(b)));
  } else if (op.b5 == 0) {
    const right = v128.load_splat<u32>(b);
    for (; index < bulk; index += 4, a += 16) op.put(y, index, op.vector(v128.load(a), right));
    for (; index < end; index++, a += 4) op.putOne(y, index, op.vector(v128.load_splat<u32>(a), right));
  } else {
    for (; index < bulk; index += 4, a += 16, b += 16) op.put(y, index, op.vector(v128.load(a), v128.load(b)));
    for (; index < end; index++, a += 4, b += 4) {
      op.putOne(y, index, op.vector(v128.load_splat<u32>(a), v128.load_splat<u32>(b)));
    }
  }
}

export function binary(task: i32, args: Binary): void {
  switch (args.operation) {
    case 0: return broadcast<Add>(task, args);
    case 1: return broadcast<Sub>(task, args);
    case 2: return broadcast<Multiply>(task, args);
    case 3: return broadcast<RealDiv>(task, args);
    case 4: return broadcast<Maximum>(task, args);
    case 5: return broadcast<Minimum>(task, args);
    case 6: return broadcast<SquaredDifference>(task, args);
    case 7: return broadcast<Greater>(task, args);
    case 8: return broadcast<GreaterEqual>(task, args);
    case 9: return broadcast<Equal>(task, args);
    case 10: return broadcast<NotEqual>(task, args);
    case 11: return broadcast<GreaterInt>(task, args);
    case 12: return broadcast<GreaterEqualInt>(task, args);
    case 13: return broadcast<EqualInt>(task, args);
    case 14: return broadcast<NotEqualInt>(task, args);
    case 15: return broadcast<AddInt>(task, args);
    case 16: return broadcast<SubInt>(task, args);
    case 17: return broadcast<MaximumInt>(task, args);
    case 18: return broadcast<MinimumInt>(task, args);
    case 19: return broadcast<EluGradient>(task, args);
    case 20: return broadcast<Prelu>(task, args);
    default: unreachable();
  }
}
