// MATLAB files of versions 5 to 7: named arrays of numbers. Only the arrays asked for are unpacked and read, so what else
// a file holds does not matter.
import { InputError } from '../../core/errors.ts';
import { byteSize } from '../../core/quantities.ts';
import { sizeOf } from '../../core/structure.ts';
import type { DataFile } from '../types.ts';
import { type Inflated, inflate, inflateStart } from './inflate.ts';
import { dataLimits, RAISE_LIMIT } from './limits.ts';
import { NUMBERS, type NumberType } from './numbers.ts';

/*
 * The format (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf): a header of 128 bytes, then elements of a
 * tag (type, bytes) and data filled up to a multiple of 8. An array is an element of elements, usually compressed: flags,
 * extents, name, values in column-major order.
 */

const HEADER = 128;
const TAG = 8;
const MATRIX = 14;
const COMPRESSED = 15;

const UNSIGNED_BYTES = 2;

/** The element types that values are stored as, whatever their class is in MATLAB. */
const TYPES: Readonly<Record<number, NumberType>> = {
  1: NUMBERS.int8,
  [UNSIGNED_BYTES]: NUMBERS.uint8,
  3: NUMBERS.int16,
  4: NUMBERS.uint16,
  5: NUMBERS.int32,
  6: NUMBERS.uint32,
  7: NUMBERS.float32,
  9: NUMBERS.float64,
  12: NUMBERS.int64,
  13: NUMBERS.uint64,
};

/** Classes of arrays that hold plain numbers: doubles to unsigned 64-bit integers. Others are cells, structures, text … */
const isNumeric = (arrayClass: number): boolean => arrayClass >= 6 && arrayClass <= 15;

const COMPLEX = 0x08;

export interface MatArray {
  readonly shape: readonly number[];
  /** The value at a place in column-major order. */
  readonly at: (place: number) => number;
}

/** Bytes of elements, where they are for messages, and their byte order. */
interface Source {
  readonly bytes: Uint8Array;
  readonly where: string;
  readonly little: boolean;
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
 * The arrays of these names in a MATLAB file of version 5, 6 or 7, of those that are there.
 *
 * @throws InputError naming the byte that is wrong
 */
export function decodeMat<Name extends string>(
  { name, bytes }: DataFile,
  wanted: readonly Name[],
): Readonly<Partial<Record<Name, MatArray>>> {
  const little = byteOrder(name, bytes);
  const arrays: Partial<Record<Name, MatArray>> = {};
  for (let at = HEADER; at < bytes.length; ) {
    const source = { bytes, where: `${name}, byte ${at}`, little };
    const { type, data, end } = readElement(source, at);
    const array = { bytes: data, where: `${name}, array at byte ${at}`, little };
    const found =
      type === COMPRESSED
        ? wanted.find((each) => each === compressedName(array))
        : type === MATRIX && wanted.find((each) => each === nameOf(array));
    if (found) arrays[found] = readMatrix(type === COMPRESSED ? unpackMatrix(array) : array);
    at = end;
  }
  return arrays;
}

/** True if numbers are little-endian. */
function byteOrder(name: string, bytes: Uint8Array): boolean {
  const order = String.fromCharCode(...bytes.subarray(126, 128));
  const advice = `Save it in MATLAB with \`save(FILE, 'X', 'y', '-v7')\`, or in Python with \`scipy.io.savemat\``;
  const hdf = (start: number) => Buffer.from(bytes.subarray(start, start + 4)).toString('latin1') === '\x89HDF';
  if (hdf(0) || hdf(512)) throw new InputError(`${name} is a MATLAB 7.3 file, which is HDF5. ${advice}.`);
  if (order !== 'IM' && order !== 'MI') {
    throw new InputError(
      `${name} (${bytes.length} bytes) is no MATLAB file of version 5 to 7: expected "IM" or "MI" at byte 126. ${advice}.`,
    );
  }
  return order === 'IM';
}

function readElement({ bytes, where, little }: Source, at: number): Element {
  if (at + TAG > bytes.length) throw new InputError(`${where}: the file is truncated within the tag of an element.`);
  const view = viewOf(bytes);
  const first = view.getUint32(at, little);
  // Up to four bytes of data share the tag with a type and a size of 16 bits each.
  if (first >>> 16 !== 0) {
    const size = first >>> 16;
    if (size > 4) throw new InputError(`${where}: an element of ${size} bytes in a tag for 4; the file is damaged.`);
    return { type: first & 0xffff, data: bytes.subarray(at + 4, at + 4 + size), end: at + TAG };
  }
  const size = view.getUint32(at + 4, little);
  const dataEnd = at + TAG + size;
  if (dataEnd > bytes.length) {
    throw new InputError(
      `${where}: an element of ${size} bytes ends beyond byte ${bytes.length}; the file is truncated.`,
    );
  }
  const end = first === COMPRESSED ? dataEnd : at + TAG + Math.ceil(size / 8) * 8;
  return { type: first, data: bytes.subarray(at + TAG, dataEnd), end };
}

/** Flags, extents and name of an array, and where its values start. */
function describe(source: Source): { flags: Element; extents: Element; name: string; end: number } {
  const flags = readElement(source, 0);
  const extents = readElement(source, flags.end);
  const name = readElement(source, extents.end);
  return { flags, extents, name: new TextDecoder().decode(name.data), end: name.end };
}

const nameOf = (source: Source): string => describe(source).name;

/** The name of a compressed array, from its first bytes; empty if it is damaged before that or no array. */
function compressedName({ bytes, where, little }: Source): string {
  const start = inflateStart(bytes);
  if (start.length === 0) throw notUnpacked(where, 'its first bytes are wrong');
  if (start.length < TAG || viewOf(start).getUint32(0, little) !== MATRIX) return '';
  return nameOf({ bytes: start.subarray(TAG), where, little });
}

/** Unpacks an array, as far as its tag announces and no further. */
function unpackMatrix({ bytes, where, little }: Source): Source {
  const announced = TAG + viewOf(inflateStart(bytes)).getUint32(4, little);
  const { unpacked } = dataLimits();
  if (announced > unpacked) {
    throw new InputError(
      `${where}: it announces ${byteSize(announced)}; expected at most ${byteSize(unpacked)}. ${RAISE_LIMIT}.`,
    );
  }
  const whole = wholeOf(inflate(bytes, 'zlib', announced), where, announced);
  return { bytes: readElement({ bytes: whole, where, little }, 0).data, where, little };
}

function wholeOf(inflated: Inflated, where: string, announced: number): Uint8Array {
  switch (inflated.kind) {
    case 'whole':
      return inflated.bytes;
    case 'too long':
      throw notUnpacked(where, `it has more than the ${announced} bytes that it announces`);
    case 'damaged':
      throw notUnpacked(where, inflated.reason);
    default:
      throw inflated satisfies never;
  }
}

const notUnpacked = (where: string, why: string): InputError =>
  new InputError(`${where} does not unpack (${why}): it is damaged.`);

function readMatrix(source: Source): MatArray {
  const { where, little } = source;
  const { flags, extents, name, end } = describe(source);
  const [packed] = flags.data.length >= 4 ? [viewOf(flags.data).getUint32(0, little)] : [0];
  if (!isNumeric(packed & 0xff) || ((packed >> 8) & COMPLEX) !== 0) {
    throw new InputError(`${where}: ${name} is no array of plain numbers (class ${packed & 0xff}).`);
  }
  const sizes = numbers({ ...extents, type: 5 }, where, little);
  const shape = Array.from({ length: sizes.count }, (_, axis) => sizes.at(axis));
  const { count, at } = numbers(readElement(source, end), where, little);
  if (count !== sizeOf(shape)) {
    throw new InputError(`${where}: ${count} values; an array of ${shape.join('×')} has ${sizeOf(shape)}.`);
  }
  return { shape, at };
}

function numbers(
  { type, data }: Element,
  where: string,
  little: boolean,
): { readonly count: number; readonly at: MatArray['at'] } {
  const reader = TYPES[type];
  if (reader === undefined) throw new InputError(`${where}: values of type ${type}, which are no plain numbers.`);
  if (type === UNSIGNED_BYTES) return { count: data.length, at: (place) => data[place] };
  const view = viewOf(data);
  return {
    count: Math.floor(data.length / reader.bytes),
    at: (place) => reader.read(view, place * reader.bytes, little),
  };
}
