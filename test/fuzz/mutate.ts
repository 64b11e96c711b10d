// Damaging bytes, the same way for the same key.
import { foldIn, integers, type Key } from '../../src/core/key.ts';

/** Numbers at which sizes and counts go wrong. */
const EDGES = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
];

type Damage = (bytes: Buffer, at: number, number: number, other: Uint8Array) => Uint8Array;

const DAMAGES: readonly Damage[] = [
  function flipBit(bytes, at, number) {
    bytes[at] ^= 1 << (number & 7);
    return bytes;
  },
  function setByte(bytes, at, number) {
    bytes[at] = number;
    return bytes;
  },
  function setShort(bytes, at, number) {
    if (at + 2 <= bytes.length) bytes.writeUInt16BE(EDGES[number % EDGES.length] & 0xffff, at);
    return bytes;
  },
  function setWord(bytes, at, number) {
    const edge = EDGES[(number >> 1) % EDGES.length];
    if (at + 4 > bytes.length) return bytes;
    if (number % 2 === 0) bytes.writeUInt32BE(edge, at);
    else bytes.writeUInt32LE(edge, at);
    return bytes;
  },
  function cut(bytes, at) {
    return bytes.subarray(0, at);
  },
  function leaveOut(bytes, at, number) {
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + (number % 64))]);
  },
  function repeat(bytes, at, number) {
    return Buffer.concat([bytes.subarray(0, at + 1 + (number % 64)), bytes.subarray(at)]);
  },
  function insert(bytes, at, number) {
    return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + (number % 9), number), bytes.subarray(at)]);
  },
  function nest(bytes, at, number) {
    const opening = number % 2 === 0 ? '[' : '{"a":';
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(opening.repeat(20_000)), bytes.subarray(at)]);
  },
  function splice(bytes, at, _, other) {
    return Buffer.concat([bytes.subarray(0, at), other.subarray(at % (other.length + 1))]);
  },
];

/** A copy with one to four damages, of which most strike the first 200 bytes, where sizes are. */
export function mutate(bytes: Uint8Array, other: Uint8Array, key: Key): Uint8Array {
  const [damages] = integers(foldIn(key, 'count'), 1, 4);
  let result: Uint8Array = bytes;
  for (let i = 0; i <= damages; i++) {
    const copy = Buffer.from(result);
    const [which, early, place, number] = integers(foldIn(key, i), 4, 2 ** 30);
    const range = early % 3 === 0 ? copy.length : Math.min(copy.length, 200);
    if (range === 0) return result;
    result = DAMAGES[which % DAMAGES.length](copy, place % range, number % 256, other);
  }
  return result;
}
