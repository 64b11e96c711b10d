// The safetensors format: lays out, writes and checks files of tensors.
import { InputError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { sizeOf } from '../../core/structure.ts';

/*
 * A file of the format safetensors (https://github.com/huggingface/safetensors):
 *
 *   byte 0            8                  8 + n                          end
 *        | n (uint64) | header (JSON)    | data of every tensor         |
 *
 * The header maps names to { dtype, shape, data_offsets: [begin, end] } counted from 8 + n, and `__metadata__` to a map
 * of strings. Everything is little-endian, and the data leave no byte out.
 */

const METADATA = '__metadata__';
/** The bytes that tell how long the header is. */
export const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000;

/** The array of each dtype; the 16-bit floats are kept as their bits. */
const ARRAYS = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

export type DType = keyof typeof ARRAYS;

/** A tensor as a file holds it: row-major data of its dtype. */
export type StoredTensor = {
  [K in DType]: {
    readonly dtype: K;
    readonly shape: readonly number[];
    readonly data: InstanceType<(typeof ARRAYS)[K]>;
  };
}[DType];

/** The contents of a safetensors file. */
export interface Safetensors {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, StoredTensor>>;
}

const compare = <T extends number | string>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);

const sortedEntries = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(record).sort(([a], [b]) => compare(a, b));

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A tensor without its data. */
export type TensorSpec = Pick<StoredTensor, 'dtype' | 'shape'>;

/** Where everything in a safetensors file lies. */
export interface SafetensorsLayout {
  /** The file up to its data. */
  readonly header: Uint8Array;
  /** The byte of the file at which each tensor begins. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Bytes of the whole file. */
  readonly size: number;
}

/**
 * How a safetensors file of these tensors is laid out; the same whatever the order of their names.
 *
 * Wider elements come first, then names in order of their code units, so that every tensor is aligned.
 */
export function layOutSafetensors(
  tensors: Readonly<Record<string, TensorSpec>>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  const width = ({ dtype }: TensorSpec): number => ARRAYS[dtype].BYTES_PER_ELEMENT;
  const entries = sortedEntries(tensors).sort(([, a], [, b]) => compare(width(b), width(a)));
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push([METADATA, Object.fromEntries(sortedEntries(metadata))]);
  const begins: [string, number][] = [];
  let end = 0;
  for (const [name, tensor] of entries) {
    if (name === METADATA) throw new InputError(`A tensor cannot be named ${METADATA}, which holds a file's metadata.`);
    const begin = end;
    end += sizeOf(tensor.shape) * width(tensor);
    begins.push([name, begin]);
    header.push([name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES;
  const dataStart = LENGTH_BYTES + headerBytes;
  const bytes = new Uint8Array(dataStart).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(json, LENGTH_BYTES);
  return {
    header: bytes,
    offsets: new Map(begins.map(([name, begin]) => [name, dataStart + begin])),
    size: dataStart + end,
  };
}

/**
 * The bytes of a safetensors file; equal input gives equal bytes, whatever the order of its names.
 *
 * @throws InputError if a tensor's data do not fill its shape
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, StoredTensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (data.length !== sizeOf(shape)) {
      throw new InputError(`Tensor ${name} of shape [${shape}] must have ${sizeOf(shape)} values, got ${data.length}.`);
    }
  }
  const { header, offsets, size } = layOutSafetensors(tensors, metadata);
  const file = new Uint8Array(size);
  file.set(header);
  for (const [name, offset] of offsets) file.set(bytesOf(tensors[name].data), offset);
  return file;
}

/**
 * The metadata and tensors of a safetensors file, in arrays of their own.
 *
 * @param source what messages call the file
 * @throws InputError naming the byte where the file is truncated or damaged
 */
export function decodeSafetensors(bytes: Uint8Array, source = 'The file'): Safetensors {
  const headEnd = headLength(bytes, bytes.length, source);
  const { metadata, spans } = readLayout(bytes.subarray(0, headEnd), bytes.length, source);
  const tensors = Object.fromEntries(
    spans.map((span) => [span.name, tensorOf(span, new Uint8Array(bytes.subarray(span.begin, span.end)))]),
  );
  return { metadata, tensors };
}

/** Where a tensor lies in a file, in bytes from the file's start. */
export interface Span {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A tensor of its bytes, which it takes over. */
export const tensorOf = ({ dtype, shape }: Span, { buffer }: Uint8Array): StoredTensor =>
  ({ dtype, shape, data: new ARRAYS[dtype](buffer as ArrayBuffer) }) as StoredTensor;

/**
 * Where a file's data begin, after its header.
 *
 * @param start its first bytes, `LENGTH_BYTES` at least
 * @param length of the whole file
 * @throws InputError as `decodeSafetensors`
 */
export function headLength(start: Uint8Array, length: number, source: string): number {
  if (length < LENGTH_BYTES) {
    throw new InputError(
      `${source} is truncated: a safetensors file starts with 8 bytes of header length, it ends at byte ${length}.`,
    );
  }
  const headerBytes = Number(new DataView(start.buffer, start.byteOffset).getBigUint64(0, true));
  if (headerBytes < 2 || headerBytes > MAX_HEADER_BYTES) {
    throw new InputError(
      `${source} is not a safetensors file: bytes 0 to 7 name a header of ${headerBytes} bytes, expected 2 to ${MAX_HEADER_BYTES}.`,
    );
  }
  if (LENGTH_BYTES + headerBytes > length) {
    throw new InputError(
      `${source} is truncated: its header reaches to byte ${LENGTH_BYTES + headerBytes}, the file ends at byte ${length}.`,
    );
  }
  return LENGTH_BYTES + headerBytes;
}

/**
 * What a file's head says: its metadata, and where its tensors are.
 *
 * @param head everything before the data
 * @param length of the whole file
 * @throws InputError as `decodeSafetensors`
 */
export function readLayout(
  head: Uint8Array,
  length: number,
  source: string,
): { readonly metadata: Safetensors['metadata']; readonly spans: readonly Span[] } {
  const { [METADATA]: metadata = {}, ...entries } = readHeader(head.subarray(LENGTH_BYTES), source);
  if (!isStringMap(metadata)) {
    throw new InputError(`${source} has metadata other than a map of strings in its header (from byte 8).`);
  }
  const spans = Object.entries(entries)
    .map(([name, entry]) => readSpan(name, entry, head.length, source))
    .sort((a, b) => compare(a.begin, b.begin) || compare(a.end, b.end));
  let expected = head.length;
  for (const { name, begin, end } of spans) {
    if (begin !== expected) {
      throw new InputError(
        `${source} is damaged: tensor ${name} starts at byte ${begin}, expected at byte ${expected}.`,
      );
    }
    if (end > length) {
      throw new InputError(
        `${source} is truncated: tensor ${name} reaches to byte ${end}, the file ends at byte ${length}.`,
      );
    }
    expected = end;
  }
  if (expected !== length) {
    throw new InputError(`${source} is damaged: its tensors end at byte ${expected}, the file at byte ${length}.`);
  }
  return { metadata, spans };
}

function readHeader(bytes: Uint8Array, source: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = jsonValue(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new InputError(
      `${source} has a header that is not JSON from byte ${LENGTH_BYTES}; it is damaged or no safetensors file.`,
      { cause: error },
    );
  }
  if (!isRecord(header))
    throw new InputError(`${source} has a header that is no JSON object from byte ${LENGTH_BYTES}.`);
  return header;
}

/** @param dataStart what the entry's offsets are counted from */
function readSpan(name: string, entry: unknown, dataStart: number, source: string): Span {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  if (typeof dtype !== 'string' || !Object.hasOwn(ARRAYS, dtype)) {
    throw new InputError(
      `${source} has tensor ${name} of dtype ${JSON.stringify(dtype)}; known are ${Object.keys(ARRAYS).join(', ')}.`,
    );
  }
  if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) {
    throw new InputError(
      `${source} has tensor ${name} with shape ${JSON.stringify(shape)} and data_offsets ${JSON.stringify(offsets)}; expected lists of whole numbers.`,
    );
  }
  const [begin, end] = offsets;
  const size = sizeOf(shape) * ARRAYS[dtype as DType].BYTES_PER_ELEMENT;
  if (end - begin !== size) {
    throw new InputError(
      `${source} gives tensor ${name} (${dtype} [${shape}]) ${end - begin} bytes of data; that shape takes ${size}.`,
    );
  }
  return { name, dtype: dtype as DType, shape, begin: dataStart + begin, end: dataStart + end };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isStringMap = (value: unknown): value is Record<string, string> =>
  isRecord(value) && Object.values(value).every((entry) => typeof entry === 'string');

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
