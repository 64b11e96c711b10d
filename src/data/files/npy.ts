// Arrays of bytes in numpy's .npy files, as far as published sets of corrupted images use them.
import { InputError } from '../../core/errors.ts';

/** What the header of a .npy file says. */
export interface NpyHeader {
  readonly shape: readonly number[];
  /** The byte of the file at which the data begin. */
  readonly dataStart: number;
}

/** A header needs no more bytes than these. */
export const NPY_HEADER_BYTES = 4096;

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/**
 * The header of a .npy file of unsigned bytes in C order (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
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
  if (type !== '|u1' || !/'fortran_order':\s*False/.test(text) || extents === undefined) {
    refuse(`holds ${type ?? 'something else'}, expected unsigned bytes, |u1, in C order`);
  }
  const shape = extents
    .split(',')
    .filter((extent) => extent.trim() !== '')
    .map(Number);
  const values = shape.reduce((product, extent) => product * extent, 1);
  if (size !== dataStart + values) {
    refuse(`has ${size} bytes, expected ${dataStart + values} for the shape (${shape.join(', ')})`);
  }
  return { shape, dataStart };
}
