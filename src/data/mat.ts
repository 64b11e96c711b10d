import { inflateSync } from 'node:zlib';
import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import type { DataFile } from './types.ts';

/*
 * A MATLAB 5 file (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf): a header of 128 bytes, then
 * elements of a tag (type, bytes) and data filled up to a multiple of 8. An array is an element of elements, usually
 * compressed: flags, extents, name, values in column-major order.
 */

const HEADER = 128;
const MATRIX = 14;
const COMPRESSED = 15;

/** The element types that values are stored as, whatever their class is in MATLAB. */
const READERS: Readonly<Record<number, { bytes: number; read: (view: DataView, at: number) => number }>> = {
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 1, read: (view, at) => view.getUint8(at) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  7: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  9: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

export interface MatArray {
  readonly shape: readonly number[];
  /** Column-major. */
  readonly values: ArrayLike<number>;
}

interface Element {
  readonly type: number;
  readonly data: Uint8Array;
  /** Where the next element starts. */
  readonly end: number;
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength);

/**
 * The numeric arrays of a MATLAB 5 file by name.
 *
 * @throws InputError naming the byte that is wrong
 */
export function decodeMat({ name, bytes }: DataFile): Readonly<Record<string, MatArray>> {
  if (bytes.length < HEADER || bytes[126] !== 0x49 || bytes[127] !== 0x4d) {
    throw new InputError(
      `${name} (${bytes.length} bytes) is no little-endian MATLAB 5 file: expected "IM" at byte 126.`,
    );
  }
  const arrays: [string, MatArray][] = [];
  for (let at = HEADER; at < bytes.length; ) {
    const element = readElement(bytes, at, `${name}, byte ${at}`);
    const matrix =
      element.type === COMPRESSED
        ? readElement(inflate(element.data, name, at), 0, `${name}, array at byte ${at}`)
        : element;
    if (matrix.type === MATRIX) arrays.push(readMatrix(matrix.data, `${name}, array at byte ${at}`));
    at = element.end;
  }
  return Object.fromEntries(arrays);
}

function inflate(packed: Uint8Array, name: string, at: number): Uint8Array {
  try {
    return inflateSync(packed);
  } catch (error) {
    throw new InputError(
      `${name} has an array at byte ${at} that does not unpack (${error instanceof Error ? error.message : error}): it is damaged.`,
    );
  }
}

function readElement(bytes: Uint8Array, at: number, where: string): Element {
  if (at + 8 > bytes.length) throw new InputError(`${where}: the file is truncated within the tag of an element.`);
  const view = viewOf(bytes);
  const first = view.getUint32(at, true);
  // Up to four bytes of data share the tag with a type and a size of 16 bits each.
  if (first >>> 16 !== 0) {
    return { type: first & 0xffff, data: bytes.subarray(at + 4, at + 4 + (first >>> 16)), end: at + 8 };
  }
  const size = view.getUint32(at + 4, true);
  const dataEnd = at + 8 + size;
  if (dataEnd > bytes.length) {
    throw new InputError(
      `${where}: an element of ${size} bytes ends beyond byte ${bytes.length}; the file is truncated.`,
    );
  }
  const end = first === COMPRESSED ? dataEnd : at + 8 + Math.ceil(size / 8) * 8;
  return { type: first, data: bytes.subarray(at + 8, dataEnd), end };
}

function readMatrix(bytes: Uint8Array, where: string): [string, MatArray] {
  const flags = readElement(bytes, 0, where);
  const extents = readElement(bytes, flags.end, where);
  const name = readElement(bytes, extents.end, where);
  const values = readElement(bytes, name.end, where);
  const shape = [...numbers({ ...extents, type: 5 }, where)];
  const data = numbers(values, where);
  if (data.length !== sizeOf(shape)) {
    throw new InputError(`${where}: ${data.length} values; an array of ${shape.join('×')} has ${sizeOf(shape)}.`);
  }
  return [new TextDecoder().decode(name.data), { shape, values: data }];
}

function numbers({ type, data }: Element, where: string): Uint8Array | Float64Array {
  if (type === 2) return data;
  const reader = READERS[type];
  if (reader === undefined) throw new InputError(`${where}: values of type ${type}, which are no plain numbers.`);
  const view = viewOf(data);
  return Float64Array.from({ length: Math.floor(data.length / reader.bytes) }, (_, i) =>
    reader.read(view, i * reader.bytes),
  );
}
