// Floating-point numbers of files: as float32, whatever they were stored in, and as float16.

import type { StoredTensor } from './safetensors.ts';

/** The values of a stored tensor as float32, whatever it was stored in. */
export function floatsOf({ dtype, data }: StoredTensor): Float32Array<ArrayBuffer> {
  switch (dtype) {
    case 'F32':
      return data;
    case 'F16':
      return Float32Array.from(data, halfToFloat);
    case 'BF16': {
      const bits = Uint32Array.from(data, (half) => half << 16);
      return new Float32Array(bits.buffer);
    }
    default:
      return Float32Array.from(data as ArrayLike<number | bigint>, Number);
  }
}

/** IEEE 754 half precision: 1 bit of sign, 5 of exponent, 10 of fraction. */
function halfToFloat(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The largest finite number in half precision. */
export const LARGEST_HALF = 65504;

/** The exponent of the smallest normal number in half precision; below it, steps are as wide as at it. */
const LEAST_EXPONENT = -14;
const FRACTION_BITS = 10;

/** The bits of float32 numbers of at most `LARGEST_HALF` in half precision, rounded to the nearest and half-way to even. */
export function halvesOf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, (word, i) => {
    const exponent = Math.max(((word >>> 23) & 255) - 127, LEAST_EXPONENT);
    const steps = roundToEven(Math.abs(values[i]) * 2 ** (FRACTION_BITS - exponent));
    // A fraction that was rounded up to 2 carries into the exponent, and one below 1 has the exponent 0.
    return ((word >>> 31) << 15) | (((exponent - LEAST_EXPONENT) << FRACTION_BITS) + steps);
  });
}

function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}
