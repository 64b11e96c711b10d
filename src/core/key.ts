// Random numbers: keys that name streams of them.
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus';
import type { RandomGenerator } from 'pure-rand/types/RandomGenerator';
import { InputError } from './errors.ts';

/**
 * 128 bits that name one stream of random numbers. A key is derived from another by *name* (`foldIn`), never by order
 * of use, so asking for more randomness in one place changes none elsewhere.
 */
export type Key = readonly [number, number, number, number];

const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/** The finaliser of MurmurHash3: every input bit flips every output bit with probability one half. */
function avalanche(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

/** One 32-bit word mixed into a key, after MurmurHash3_x86_128. */
function mix([a, b, c, d]: Key, word: number): Key {
  let h1 = a ^ Math.imul(rotate(Math.imul(word, 0x239b961b), 15), 0xab0e9789);
  h1 = (Math.imul(rotate(h1, 19) + b, 5) + 0x561ccd1b) | 0;
  let h2 = b ^ Math.imul(rotate(Math.imul(word, 0xab0e9789), 16), 0x38b34ae5);
  h2 = (Math.imul(rotate(h2, 17) + c, 5) + 0x0bcaa747) | 0;
  let h3 = c ^ Math.imul(rotate(Math.imul(word, 0x38b34ae5), 17), 0xa1e38b93);
  h3 = (Math.imul(rotate(h3, 15) + d, 5) + 0x96cd1c35) | 0;
  let h4 = d ^ Math.imul(rotate(Math.imul(word, 0xa1e38b93), 18), 0x239b961b);
  h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  const sum = (h1 + h2 + h3 + h4) | 0;
  h1 = avalanche(h1 + sum);
  h2 = avalanche(h2 + h1);
  h3 = avalanche(h3 + h2);
  h4 = avalanche(h4 + h3);
  return [(h1 + h4) >>> 0, h2 >>> 0, h3 >>> 0, h4 >>> 0];
}

const NUMBER = 1;
const TEXT = 2;

/**
 * The key named `name` below `key`: equal inputs give equal keys, different ones independent streams.
 *
 * @param name a safe integer, or any text; the number 1 and the text '1' are different names
 */
export function foldIn(key: Key, name: number | string): Key {
  if (typeof name === 'number') {
    return mix(mix(mix(key, NUMBER), name | 0), Math.floor(name / 2 ** 32) | 0);
  }
  let folded = mix(mix(key, TEXT), name.length);
  for (let i = 0; i < name.length; i++) folded = mix(folded, name.charCodeAt(i));
  return folded;
}

/** The key of a seed, the root of every other key of a run. */
export const seedKey = (seed: number | string): Key => foldIn([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], seed);

/** `count` independent keys below `key`. */
export const split = (key: Key, count: number): Key[] => Array.from({ length: count }, (_, i) => foldIn(key, i));

/** The stream of 32-bit integers that `key` names; the caller owns it, two calls give the same numbers. */
export const generator = (key: Key): RandomGenerator =>
  xoroshiro128plusFromState([key[0] | 0, key[1] | 0, key[2] | 0, key[3] | 1]);

const nextUniform = (random: RandomGenerator): number => (random.next() >>> 8) * 2 ** -24;

/** `count` numbers uniform on [low, high). */
export function uniform(key: Key, count: number, low = 0, high = 1): Float32Array {
  const random = generator(key);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = low + (high - low) * nextUniform(random);
  return out;
}

/** `count` numbers of the standard normal distribution (Box and Muller 1958). */
export function normal(key: Key, count: number): Float32Array {
  const random = generator(key);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - nextUniform(random)));
    const angle = 2 * Math.PI * nextUniform(random);
    out[i] = radius * Math.cos(angle);
    if (i + 1 < count) out[i + 1] = radius * Math.sin(angle);
  }
  return out;
}

/** An integer uniform on 0 … bound − 1, without the bias of a plain remainder (Lemire 2019). */
function nextBelow(random: RandomGenerator, bound: number): number {
  const limit = 2 ** 32 - (2 ** 32 % bound);
  let bits = random.next() >>> 0;
  while (bits >= limit) bits = random.next() >>> 0;
  return bits % bound;
}

/** `count` integers uniform on 0 … bound − 1. */
export function integers(key: Key, count: number, bound: number): Int32Array {
  const random = generator(key);
  return Int32Array.from({ length: count }, () => nextBelow(random, bound));
}

/** A uniformly random order of 0 … count − 1 (Fisher and Yates). */
export function permutation(key: Key, count: number): Int32Array {
  const random = generator(key);
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = nextBelow(random, i + 1);
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * `count` different numbers of 0 … population − 1, ascending, every subset equally likely (Floyd 1987).
 *
 * @throws InputError if there are fewer than `count`
 */
export function sample(key: Key, count: number, population: number): Int32Array {
  if (count > population) throw new InputError(`${count} different numbers cannot be drawn from ${population}.`);
  const random = generator(key);
  if (count < population / 64) return sampleFew(random, count, population);
  const chosen = new Uint8Array(population);
  for (let top = population - count; top < population; top++) {
    const candidate = nextBelow(random, top + 1);
    chosen[chosen[candidate] === 0 ? candidate : top] = 1;
  }
  const numbers = new Int32Array(count);
  let found = 0;
  for (let number = 0; found < count; number++) if (chosen[number] !== 0) numbers[found++] = number;
  return numbers;
}

/** Returns the numbers that `sample` defines without a list as long as the population. */
function sampleFew(random: RandomGenerator, count: number, population: number): Int32Array {
  const chosen = new Set<number>();
  for (let top = population - count; top < population; top++) {
    const candidate = nextBelow(random, top + 1);
    chosen.add(chosen.has(candidate) ? top : candidate);
  }
  return Int32Array.from(chosen).sort();
}
