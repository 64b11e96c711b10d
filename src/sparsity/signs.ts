// The fixed signs of weights that BSR-Net needs, drawn from a key.
import { foldIn, generator, type Key } from '../core/key.ts';

/** The sign of the weight at a position, now and for ever. */
export type SignOf = (position: number) => 1 | -1;

/** For a kernel by name and size, its signs. */
export type Signs = (kernel: string, size: number) => SignOf;

/**
 * Signs drawn once, + and − equally likely, as a function of the key, the kernel's name and the position: nothing to
 * store, and a resumed run has the same. One bit a weight is kept after the first question about a kernel.
 */
export function fixedSigns(key: Key): Signs {
  const known = new Map<string, Uint8Array>();
  return (kernel, size) => {
    const bits = known.get(kernel) ?? drawBits(foldIn(key, kernel), size);
    known.set(kernel, bits);
    return (position) => (bits[position >> 3] & (1 << (position & 7)) ? 1 : -1);
  };
}

function drawBits(key: Key, count: number): Uint8Array {
  const random = generator(key);
  const bits = new Uint8Array(Math.ceil(count / 8));
  // The upper bits of the generator are the better ones.
  for (let i = 0; i < count; i++) bits[i >> 3] |= (random.next() >>> 31) << (i & 7);
  return bits;
}
