// The largest values of each row with their places, largest first; of equal ones the first comes first.
//
// A value's key orders unsigned as the values do descending: its bits with the sign turned round, inverted. Long rows are
// sorted by three stable passes over 11 bits of the keys, short ones by insertion.
//
//   scratch of a thread   | keys | places | keys' | places' | 2048 counts |      `length` words each
import { thread } from '../shared/common';

const COUNTS: u32 = 2048;
const SHORT: u32 = 48;

@unmanaged
class TopK {
  x: usize;
  values: usize;
  indices: usize;
  rows: u32;
  length: u32;
  k: u32;
  /** (4 · length + 2048) words a thread */
  scratch: usize;
  /** rows of a task */
  chunk: u32;
}

// @ts-ignore: decorator
@inline
function keyOf(x: f32): u32 {
  const bits = reinterpret<i32>(x + 0);           // −0 becomes 0
  return ~<u32>(bits ^ ((bits >> 31) | 0x80000000));
}

export function topK(task: i32, args: TopK): void {
  const length = args.length, words = <usize>length << 2;
  const keys = args.scratch + <usize>thread * (4 * words + (COUNTS << 2)), places = keys + words;
  let row = <u32>task * args.chunk;
  const end = min(row + args.chunk, args.rows);
  for (; row < end; row++) {
    const x = args.x + <usize>row * words;
    const sorted = length <= SHORT ? insertion(x, length, keys, places) : radix(x, length, keys);
    const values = args.values + (<usize>row * args.k << 2), indices = args.indices + (<usize>row * args.k << 2);
    for (let i: usize = 0; i < <usize>args.k << 2; i += 4) {
      const place = load<u32>(sorted + i);
      store<u32>(indices + i, place);
      store<u32>(values + i, load<u32>(x + (<usize>place << 2)));
    }
  }
}

/** Returns where the places lie in order. */
function insertion(x: usize, length: u32, keys: usize, places: usize): usize {
  for (let i: u32 = 0; i < length; i++) {
    const key = keyOf(load<f32>(x + (<usize>i << 2)));
    let at = <usize>i << 2;
    for (; at > 0 && load<u32>(keys + at - 4) > key; at -= 4) {
      store<u32>(keys + at, load<u32>(keys + at - 4));
      store<u32>(places + at, load<u32>(places + at - 4));
    }
    store<u32>(keys + at, key);
    store<u32>(places + at, i);
  }
  return places;
}

/** Returns where the places lie in order. */
function radix(x: usize, length: u32, keys: usize): usize {
  const words = <usize>length << 2, counts = keys + 4 * words;
  let fromKeys = keys, fromPlaces = keys + words, toKeys = keys + 2 * words, toPlaces = keys + 3 * words;
  for (let i: usize = 0; i < words; i += 4) {
    store<u32>(fromKeys + i, keyOf(load<f32>(x + i)));
    store<u32>(fromPlaces + i, <u32>(i >> 2));
  }
  for (let shift: u32 = 0; shift < 33; shift += 11) {
    memory.fill(counts, 0, COUNTS << 2);
    for (let i: usize = 0; i < words; i += 4) {
      const count = counts + (<usize>((load<u32>(fromKeys + i) >> shift) & (COUNTS - 1)) << 2);
      store<u32>(count, load<u32>(count) + 4);
    }
    let before: u32 = 0;
    for (let count = counts; count < counts + (COUNTS << 2); count += 4) {
      const here = load<u32>(count);
      store<u32>(count, before);
      before += here;
    }
    for (let i: usize = 0; i < words; i += 4) {
      const key = load<u32>(fromKeys + i), count = counts + (<usize>((key >> shift) & (COUNTS - 1)) << 2);
      const at = <usize>load<u32>(count);
      store<u32>(count, <u32>at + 4);
      store<u32>(toKeys + at, key);
      store<u32>(toPlaces + at, load<u32>(fromPlaces + i));
    }
    const k = fromKeys, p = fromPlaces;
    fromKeys = toKeys; fromPlaces = toPlaces; toKeys = k; toPlaces = p;
  }
  return fromPlaces;
}
