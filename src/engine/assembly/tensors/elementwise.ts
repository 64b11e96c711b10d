// Elementwise kernels on flat arrays.
//
//   x  |v0|v1|v2|v3|v4|v5|v6|v7| …     a task takes `chunk` values: vectors of four lanes, then single values, which
//   y  |v0|v1|v2|v3|v4|v5|v6|v7| …     take lane 0 of the same vector code
//
// An operation is a class without instances: its methods see the argument record as `this`.
import { exp, expm1, log, rsqrt, sigmoid, softplus, tanh } from '../shared/exponential';

@unmanaged
class Relu {
  x: usize;
  y: usize;
  length: u32;
  chunk: u32;

  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 {
    return f32x4.max(x, f32x4.splat(0));
  }
}

export function relu(task: i32, args: Relu): void {
  map<Relu>(args, task, args.x, args.y, args.length, args.chunk);
}

function map<Op>(op: Op, task: i32, x: usize, y: usize, length: u32, chunk: u32): void {
  const first = <u32>task * chunk, count = min(chunk, length - first);
  x += <usize>first << 2;
  y += <usize>first << 2;
  const end = x + (<usize>count << 2), bulk = x + (<usize>(count & ~3) << 2);
  for (; x < bulk; x += 16, y += 16) v128.store(y, op.vector(v128.load(x)));
  for (; x < end; x += 4, y += 4) v128.store_lane<f32>(y, op.vector(v128.load_splat<f32>(x)), 0);
}

@unmanaged
class Unary {
  /** the operation's number in src/engine/kernels/unary.ts */
  operation: i32;
  x: usize;
  y: usize;
  length: u32;
  chunk: u32;
  low: f32;
  high: f32;
}

@unmanaged
class Neg extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.neg(x); }
}

@unmanaged
class Abs extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.abs(x); }
}

@unmanaged
class Sign extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 {
    const zero = f32x4.splat(0);
    return v128.or(
      v128.and(f32x4.gt(x, zero), f32x4.splat(1)),
      v128.and(f32x4.lt(x, zero), f32x4.splat(-1)),
    );
  }
}

@unmanaged
class Sqrt extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.sqrt(x); }
}

@unmanaged
class Rsqrt extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return rsqrt(x); }
}

@unmanaged
class Square extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.mul(x, x); }
}

@unmanaged
class Reciprocal extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.div(f32x4.splat(1), x); }
}

@unmanaged
class Exp extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return exp(x); }
}

@unmanaged
class Log extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return log(x); }
}

/** 1 where x > 0, else `low`; NaN stays NaN. */
@unmanaged
class Step extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 {
    const step = v128.bitselect(f32x4.splat(1), f32x4.splat(this.low), f32x4.gt(x, f32x4.splat(0)));
    return v128.bitselect(step, x, f32x4.eq(x, x));
  }
}

/** x within [low, high]; NaN stays NaN. */
@unmanaged
class Clip extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 {
    return f32x4.pmax(f32x4.pmin(x, f32x4.splat(this.high)), f32x4.splat(this.low));
  }
}

@unmanaged
class Sigmoid extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return sigmoid(x); }
}

/** x, or `low` times x where it is negative. */
@unmanaged
class LeakyRelu extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 {
    return v128.bitselect(f32x4.mul(x, f32x4.splat(this.low)), x, f32x4.lt(x, f32x4.splat(0)));
  }
}

@unmanaged
class Elu extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return v128.bitselect(x, expm1(x), f32x4.ge(x, f32x4.splat(0))); }
}

@unmanaged
class Selu extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 {
    const scale: f32 = 1.0507009873554804934193349852946, alpha: f32 = 1.7580993408473768599402175208123;
    const positive = f32x4.mul(x, f32x4.splat(scale)), negative = f32x4.mul(expm1(x), f32x4.splat(alpha));
    return v128.bitselect(positive, negative, f32x4.ge(x, f32x4.splat(0)));
  }
}

@unmanaged
class Tanh extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return tanh(x); }
}

@unmanaged
class Softplus extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return softplus(x); }
}

@unmanaged
class Floor extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.floor(x); }
}

@unmanaged
class Ceil extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.ceil(x); }
}

/** To the nearest whole number, halves to the even one. */
@unmanaged
class Round extends Unary {
  // @ts-ignore: decorator
  @inline
  vector(x: v128): v128 { return f32x4.nearest(x); }
}

// @ts-ignore: decorator
@inline
function apply<Op extends Unary>(task: i32, args: Unary): void {
  map<Op>(changetype<Op>(args), task, args.x, args.y, args.length, args.chunk);
}

export function unary(task: i32, args: Unary): void {
  switch (args.operation) {
    case 0: return apply<Neg>(task, args);
    case 1: return apply<Abs>(task, args);
    case 2: return apply<Sign>(task, args);
    case 3: return apply<Sqrt>(task, args);
    case 4: return apply<Rsqrt>(task, args);
    case 5: return apply<Square>(task, args);
    case 6: return apply<Reciprocal>(task, args);
    case 7: return apply<Exp>(task, args);
    case 8: return apply<Log>(task, args);
    case 9: return apply<Step>(task, args);
    case 10: return apply<Clip>(task, args);
    case 11: return apply<Sigmoid>(task, args);
    case 12: return apply<LeakyRelu>(task, args);
    case 13: return apply<Elu>(task, args);
    case 14: return apply<Selu>(task, args);
    case 15: return apply<Tanh>(task, args);
    case 16: return apply<Softplus>(task, args);
    case 17: return apply<Floor>(task, args);
    case 18: return apply<Ceil>(task, args);
    case 19: return apply<Round>(task, args);
    default: unreachable();
  }
}
