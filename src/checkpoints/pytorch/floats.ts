import type { StoredTensor } from '../safetensors/safetensors.ts';

/** The values of a stored tensor as float32, whatever it was stored in. */
export function floatsOf({ dtype, data }: StoredTensor): Float32Array {
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
