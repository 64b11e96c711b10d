// Arrays of numbers in numpy's .npy files: bytes, as published sets of corrupted images have them, and labels of any type.
import { InputError } from '../../core/errors.ts';
import { NUMBERS, type NumberType } from './numbers.ts';

/** What the header of a .npy file says. */
export interface NpyHeader {
  readonly shape: readonly number[];
  /** The type of a number as numpy writes it, such as `|u1` for unsigned bytes or `<i8` for whole numbers of 64 bits. */
  readonly type: string;
  /** Bytes of a number. */
  readonly width: number;
  /** The byte of the file at which the data begin. */
  readonly dataStart: number;
}

/** A header needs no more bytes than these. */
export const NPY_HEADER_BYTES = 4096;

/** Types of numbers, as numpy writes them behind the order of their bytes. */
const TYPES: Readonly<Record<string, NumberType>> = {
  u1: NUMBERS.uint8,
  i1: NUMBERS.int8,
  u2: NUMBERS.uint16,
  i2: NUMBERS.int16,
  u4: NUMBERS.uint32,
  i4: NUMBERS.int32,
  u8: NUMBERS.uint64,
  i8: NUMBERS.int64,
  f4: NUMBERS.float32,
  f8: NUMBERS.float64,
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * The header of a .npy file of numbers in C order (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 *
 * @param bytes the beginning of the file
 * @param size of the whole file, in bytes
 * @throws InputError if it is no such file, truncated, or longer than its shape says
 */
export function readNpyHeader(name: string, bytes: Uint8Array, size: number): NpyHeader {
  const refuse = (what: string): never => {
    throw new InputError(`${name} ${what}. Copy or download it again.`);
  };
  if (!MAGIC.every((byte, i) => bytes[i] === byte)) refuse('is no .npy file of numpy by its first bytes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lengthBytes = bytes[6] === 1 ? 2 : 4;
  if (bytes[6] < 1 || bytes[6] > 3 || bytes.length < 8 + lengthBytes)
    refuse(`is of version ${bytes[6]}, expected 1 to 3`);
  const length = lengthBytes === 2 ? view.getUint16(8, true) : view.getUint32(8, true);
  const dataStart = 8 + lengthBytes + length;
  if (dataStart > bytes.length) refuse('ends inside its header');
  const text = new TextDecoder().decode(bytes.subarray(8 + lengthBytes, dataStart));
  const [, type] = /'descr':\s*'([^']*)'/.exec(text) ?? [];
  const [, extents] = /'shape':\s*\(([\d,\s]*)\)/.exec(text) ?? [];
  if (
    !/^[|<>]/.test(type ?? '') ||
    !Object.hasOwn(TYPES, type.slice(1)) ||
    !/'fortran_order':\s*False/.test(text) ||
    extents === undefined
  ) {
    refuse(`holds ${type ?? 'something else'}, expected numbers in C order, such as unsigned bytes, |u1`);
  }
  const width = TYPES[type.slice(1)].bytes;
  const shape = extents
    .split(',')
    .filter((extent) => extent.trim() !== '')
    .map(Number);
  const expected = dataStart + width * shape.reduce((product, extent) => product * extent, 1);
  if (size !== expected) refuse(`has ${size} bytes, expected ${expected} for the shape (${shape.join(', ')})`);
  return { shape, type, width, dataStart };
}

/** The numbers in the data of a .npy file. */
export function npyNumbers({ type, width }: Pick<NpyHeader, 'type' | 'width'>, data: Uint8Array): number[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const { read } = TYPES[type.slice(1)];
  return Array.from({ length: data.length / width }, (_, i) => read(view, i * width, type[0] === '<'));
}
