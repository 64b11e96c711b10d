// Writes MATLAB 5 files.
import { deflateSync } from 'node:zlib';

export const UINT8 = 2;
export const INT32 = 5;
export const UINT32 = 6;
export const DOUBLE = 9;
export const INT64 = 12;

/** One element of a MATLAB 5 file, in the short form where it may be. */
export function element(type: number, data: Uint8Array): Buffer {
  const tag = Buffer.alloc(8);
  if (data.length <= 4) {
    tag.writeUInt32LE((data.length << 16) | type);
    tag.set(data, 4);
    return tag;
  }
  tag.writeUInt32LE(type);
  tag.writeUInt32LE(data.length, 4);
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

export const bytesOf = (array: Int32Array | Uint32Array | Float64Array): Uint8Array => new Uint8Array(array.buffer);

export function matrix(name: string, shape: number[], type: number, values: Uint8Array): Buffer {
  const parts = [
    element(UINT32, bytesOf(Uint32Array.of(9, 0))),
    element(INT32, bytesOf(Int32Array.from(shape))),
    element(1, Buffer.from(name)),
    element(type, values),
  ];
  return element(14, Buffer.concat(parts));
}

export const compressed = (array: Buffer): Buffer => {
  const data = deflateSync(array);
  const tag = Buffer.alloc(8);
  tag.writeUInt32LE(15);
  tag.writeUInt32LE(data.length, 4);
  return Buffer.concat([tag, data]);
};

export const file = (...arrays: Buffer[]): Buffer =>
  Buffer.concat([Buffer.alloc(124, ' '), Buffer.of(0, 1, 0x49, 0x4d), ...arrays]);

/** An element of a big-endian file; its data are big-endian too. */
function bigEndianElement(type: number, data: Uint8Array): Buffer {
  const tag = Buffer.alloc(8);
  tag.writeUInt32BE(type);
  tag.writeUInt32BE(data.length, 4);
  return Buffer.concat([tag, data, Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

const bigEndian = (numbers: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeInt32BE(number, 4 * i);
  return bytes;
};

/** @param values big-endian */
export function bigEndianMatrix(name: string, shape: readonly number[], type: number, values: Uint8Array): Buffer {
  const parts = [
    bigEndianElement(UINT32, bigEndian([9, 0])),
    bigEndianElement(INT32, bigEndian(shape)),
    bigEndianElement(1, Buffer.from(name)),
    bigEndianElement(type, values),
  ];
  return bigEndianElement(14, Buffer.concat(parts));
}

export const bigEndianFile = (...arrays: Buffer[]): Buffer =>
  Buffer.concat([Buffer.alloc(124, ' '), Buffer.of(1, 0, 0x4d, 0x49), ...arrays]);
