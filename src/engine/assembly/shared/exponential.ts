// exp and log of f32, computed in f64: two lanes at a time, one rounding to f32 at the end. The error before that rounding
// is below 0.001 units in the last place, so a result is the correctly rounded one in all but about one case in a
// thousand, and then its neighbour.

/** The upper two of four floats, as doubles. */
// @ts-ignore: decorator
@inline
function upper(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<u64>(x, x, 1, 1));
}

// @ts-ignore: decorator
@inline
function joined(low: v128, high: v128): v128 {
  return v128.shuffle<u64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  return joined(exp64(f64x2.promote_low_f32x4(x)), exp64(upper(x)));
}

// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  return joined(log64(f64x2.promote_low_f32x4(x)), log64(upper(x)));
}

/** 1 / √x */
// @ts-ignore: decorator
@inline
export function rsqrt(x: v128): v128 {
  return joined(rsqrt64(f64x2.promote_low_f32x4(x)), rsqrt64(upper(x)));
}

/** 1 / (1 + e⁻ˣ) */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  return joined(sigmoid64(f64x2.promote_low_f32x4(x)), sigmoid64(upper(x)));
}

/** eˣ − 1 */
// @ts-ignore: decorator
@inline
export function expm1(x: v128): v128 {
  return joined(expm164(f64x2.promote_low_f32x4(x)), expm164(upper(x)));
}

// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  return joined(tanh64(f64x2.promote_low_f32x4(x)), tanh64(upper(x)));
}

/** log(1 + eˣ) */
// @ts-ignore: decorator
@inline
export function softplus(x: v128): v128 {
  return joined(softplus64(f64x2.promote_low_f32x4(x)), softplus64(upper(x)));
}

/** Near 0, where the difference loses digits, x. */
// @ts-ignore: decorator
@inline
function expm164(x: v128): v128 {
  const one = f64x2.splat(1);
  return v128.bitselect(x, f64x2.sub(exp64(x), one), f64x2.lt(f64x2.abs(x), f64x2.splat(1e-8)));
}

/** 1 − 2 / (e²ˣ + 1); near 0, where that loses digits, x. */
// @ts-ignore: decorator
@inline
function tanh64(x: v128): v128 {
  const one = f64x2.splat(1), two = f64x2.splat(2);
  const far = f64x2.sub(one, f64x2.div(two, f64x2.add(exp64(f64x2.mul(x, two)), one)));
  return v128.bitselect(x, far, f64x2.lt(f64x2.abs(x), f64x2.splat(1e-5)));
}

/** Beyond ±18 it is x or eˣ to the last digit of an f32. */
// @ts-ignore: decorator
@inline
function softplus64(x: v128): v128 {
  const e = exp64(x), limit = f64x2.splat(18);
  const middle = log64(f64x2.add(f64x2.splat(1), e));
  const small = v128.bitselect(e, middle, f64x2.lt(x, f64x2.neg(limit)));
  return v128.bitselect(x, small, f64x2.gt(x, limit));
}

// @ts-ignore: decorator
@inline
function sigmoid64(x: v128): v128 {
  const one = f64x2.splat(1);
  return f64x2.div(one, f64x2.add(one, exp64(f64x2.neg(x))));
}

// @ts-ignore: decorator
@inline
function rsqrt64(x: v128): v128 {
  return f64x2.div(f64x2.splat(1), f64x2.sqrt(x));
}

// @ts-ignore: decorator
@inline
function horner(sum: v128, x: v128, coefficient: f64): v128 {
  return f64x2.add(f64x2.mul(sum, x), f64x2.splat(coefficient));
}

/** eˣ = 2ⁿ eʳ with n whole and |r| ≤ ln 2 / 2; eʳ by Taylor's series. Beyond ±110 every f32 result is 0 or infinite. */
function exp64(x: v128): v128 {
  const inside = f64x2.pmax(f64x2.pmin(x, f64x2.splat(110)), f64x2.splat(-110));
  const n = f64x2.nearest(f64x2.mul(inside, f64x2.splat(1.4426950408889634)));
  const r = f64x2.sub(inside, f64x2.mul(n, f64x2.splat(0.6931471805599453)));
  let sum = f64x2.splat(1.0 / 362880);
  sum = horner(sum, r, 1.0 / 40320);
  sum = horner(sum, r, 1.0 / 5040);
  sum = horner(sum, r, 1.0 / 720);
  sum = horner(sum, r, 1.0 / 120);
  sum = horner(sum, r, 1.0 / 24);
  sum = horner(sum, r, 1.0 / 6);
  sum = horner(sum, r, 0.5);
  sum = horner(sum, r, 1);
  sum = horner(sum, r, 1);
  const exponent = i64x2.extend_low_i32x4_s(i32x4.trunc_sat_f64x2_s_zero(n));
  return f64x2.mul(sum, i64x2.shl(i64x2.add(exponent, i64x2.splat(1023)), 52));
}

/** log x = k ln 2 + 2 artanh s with x = 2ᵏ m, √½ ≤ m < √2 and s = (m − 1) / (m + 1); artanh by its series. */
function log64(x: v128): v128 {
  const one = f64x2.splat(1), root = i64x2.splat(0x3FE6A09E667F3BCD);
  const shifted = i64x2.add(x, i64x2.sub(i64x2.splat(0x3FF0000000000000), root));
  const exponent = i64x2.sub(i64x2.shr_s(shifted, 52), i64x2.splat(1023));
  const k = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(exponent, exponent, 0, 2, 0, 2));
  const m = i64x2.add(v128.and(shifted, i64x2.splat(0x000FFFFFFFFFFFFF)), root);
  const s = f64x2.div(f64x2.sub(m, one), f64x2.add(m, one));
  const z = f64x2.mul(s, s);
  let sum = f64x2.splat(2.0 / 13);
  sum = horner(sum, z, 2.0 / 11);
  sum = horner(sum, z, 2.0 / 9);
  sum = horner(sum, z, 2.0 / 7);
  sum = horner(sum, z, 2.0 / 5);
  sum = horner(sum, z, 2.0 / 3);
  sum = horner(sum, z, 2);
  let result = f64x2.add(f64x2.mul(k, f64x2.splat(0.6931471805599453)), f64x2.mul(s, sum));
  const zero = f64x2.splat(0), infinity = f64x2.splat(Infinity);
  result = v128.bitselect(result, x, f64x2.lt(x, infinity));          // infinity and NaN are their own logarithms
  result = v128.bitselect(f64x2.splat(NaN), result, f64x2.lt(x, zero));
  return v128.bitselect(f64x2.splat(-Infinity), result, f64x2.eq(x, zero));
}
