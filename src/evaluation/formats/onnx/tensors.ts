// The numbers of stored tensors: every data type that weights and shapes come in, each checked against its size first.

import { floatsOf } from '../../../checkpoints/safetensors/floats.ts';
import type { StoredTensor } from '../../../checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/structure.ts';
import type { TensorRecord } from './model.ts';
import { checkShape, type ElementType, inMemory, type Numbers, type Value } from './values.ts';

interface DataType {
  readonly type: ElementType;
  readonly bytes: number;
  /** The numbers of raw bytes, which begin at a multiple of `bytes`. */
  readonly ofBytes: (buffer: ArrayBuffer) => Numbers;
  /** The number that an entry of a list stands for, where it is not that number. */
  readonly ofList?: (list: readonly number[]) => Numbers;
}

const halves =
  (dtype: 'F16' | 'BF16') =>
  (data: Uint16Array): Float32Array =>
    floatsOf({ dtype, shape: [data.length], data } as StoredTensor);

const half = (dtype: 'F16' | 'BF16'): DataType => ({
  type: 'float',
  bytes: 2,
  ofBytes: (buffer) => halves(dtype)(new Uint16Array(buffer)),
  ofList: (list) => halves(dtype)(Uint16Array.from(list)),
});

const whole = (
  bytes: number,
  array: { new (buffer: ArrayBuffer): ArrayLike<number | bigint> },
  type: ElementType,
): DataType => ({ type, bytes, ofBytes: (buffer) => Array.from(new array(buffer), Number) });

/** Data types by their numbers in TensorProto.DataType. */
const DATA_TYPES: Readonly<Record<number, DataType>> = {
  1: { type: 'float', bytes: 4, ofBytes: (buffer) => new Float32Array(buffer) },
  2: whole(1, Uint8Array, 'uint8'),
  3: whole(1, Int8Array, 'int8'),
  4: whole(2, Uint16Array, 'uint16'),
  5: whole(2, Int16Array, 'int16'),
  6: whole(4, Int32Array, 'int32'),
  7: whole(8, BigInt64Array, 'int64'),
  9: whole(1, Uint8Array, 'bool'),
  10: half('F16'),
  11: { type: 'float', bytes: 8, ofBytes: (buffer) => new Float64Array(buffer) },
  12: whole(4, Uint32Array, 'uint32'),
  13: whole(8, BigUint64Array, 'uint64'),
  16: half('BF16'),
};

/** Names of TensorProto.DataType, for messages. */
const NAMES =
  'undefined float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64 complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2'.split(
    ' ',
  );

export const dataTypeName = (dataType: number): string => NAMES[dataType] ?? `type ${dataType}`;

/** What a data type holds; undefined for types that Equipoise does not read. */
export const elementType = (dataType: number): ElementType | undefined => DATA_TYPES[dataType]?.type;

/**
 * A stored tensor in memory.
 *
 * @param raw its bytes, where it is stored as bytes
 * @throws InputError if they are not as many as its shape says, or of a type that is not read
 */
export function readStored({ name, dims, dataType, list }: TensorRecord, raw: Uint8Array | null): Value {
  const kind = DATA_TYPES[dataType];
  if (kind === undefined) {
    throw new InputError(
      `The tensor ${name} holds ${dataTypeName(dataType)}, which Equipoise does not read: export the model in float32.`,
    );
  }
  const { type, bytes, ofBytes, ofList = (numbers) => numbers } = kind;
  const size = sizeOf(checkShape(dims));
  if (raw !== null && list.length === 0) {
    if (raw.length !== size * bytes) throw sizeMismatch(name, dims, size * bytes, raw.length, 'bytes');
    return inMemory(ofBytes(new Uint8Array(raw).buffer), dims, type);
  }
  if (list.length !== size) throw sizeMismatch(name, dims, size, list.length, 'numbers');
  return inMemory(ofList(list), dims, type);
}

const sizeMismatch = (name: string, dims: readonly number[], expected: number, got: number, unit: string): InputError =>
  new InputError(
    `The tensor ${name} [${dims.join(', ')}] has ${expected} ${unit}; the file holds ${got}. Export the model again.`,
  );
