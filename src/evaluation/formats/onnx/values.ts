// What flows through a graph: tensors on the backend, and arrays in memory for the arithmetic of shapes. A tensor of images may
// be stored with its channels last, as TensorFlow.js computes, whatever order the graph thinks in; so convolutions follow
// each other without a transposition between them.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/structure.ts';
import { transposed } from '../../../ops/transposed.ts';

/** The least and the greatest number of each type of whole numbers; those of 64 bits to the precision of a double. */
const WHOLE_RANGES = {
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  uint64: [0, 2 ** 64],
} as const satisfies Readonly<Record<string, readonly [low: number, high: number]>>;

export type WholeType = keyof typeof WHOLE_RANGES;
export type ElementType = 'float' | 'bool' | WholeType;
export type Numbers = Float32Array | Float64Array | Uint8Array | readonly number[];

export interface Value {
  /** The shape as the graph knows it. */
  readonly shape: readonly number[];
  readonly type: ElementType;
  /** The numbers in row-major order; null if only the backend has them. */
  readonly numbers: Numbers | null;
  /** float32 or bool; null if only memory has the numbers. */
  readonly tensor: Tensor | null;
  /** True if axis 1 of `shape` is the last axis of the tensor. */
  readonly channelsLast: boolean;
}

/** The most numbers that one value may have: a damaged file must not ask for all memory. */
const MOST_NUMBERS = 2 ** 28;

/** @throws InputError for a shape that no classifier needs */
export function checkShape(shape: readonly number[]): readonly number[] {
  const sound = shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (!sound || sizeOf(shape) > MOST_NUMBERS) {
    throw new InputError(`expected a shape of at most ${MOST_NUMBERS} numbers, got [${shape.join(', ')}]`);
  }
  return shape;
}

export const isWhole = (type: ElementType): type is WholeType => type in WHOLE_RANGES;

/** True if a type of whole numbers holds x without its fraction. */
export function fitsWhole(x: number, type: WholeType): boolean {
  const [low, high] = WHOLE_RANGES[type];
  return Math.trunc(x) >= low && Math.trunc(x) <= high;
}

/**
 * x without its fraction; beyond the range of its type it wraps around, as 300 becomes 44 in uint8.
 *
 * @throws InputError if a double does not hold all bits of x, which decide where it wraps to
 */
function wrapped(x: number, type: WholeType): number {
  const whole = Math.trunc(x);
  if (fitsWhole(x, type)) return whole;
  if (!Number.isSafeInteger(whole)) throw new InputError(`expected whole numbers of at most 53 bits, got ${x}`);
  const [low, high] = WHOLE_RANGES[type];
  const span = high - low + 1;
  const beyond = (whole - low) % span;
  return low + (beyond < 0 ? beyond + span : beyond);
}

/** An array in memory; floats are rounded to float32, and whole numbers cut and wrapped to their type. */
export function inMemory(numbers: Numbers, shape: readonly number[], type: ElementType): Value {
  return { shape, type, numbers: asType(numbers, type), tensor: null, channelsLast: false };
}

function asType(numbers: Numbers, type: ElementType): Numbers {
  if (type === 'float') return numbers instanceof Float32Array ? numbers : Float32Array.from(numbers);
  return isWhole(type) ? Array.from(numbers, (x) => wrapped(x, type)) : numbers;
}

/** A tensor in the graph's order of axes. */
export const onBackend = (tensor: Tensor): Value => ({
  shape: tensor.shape,
  type: tensor.dtype === 'bool' ? 'bool' : 'float',
  numbers: null,
  tensor,
  channelsLast: false,
});

/** A tensor [batch, …, channels], which the graph knows as [batch, channels, …]. */
export function withChannelsLast(tensor: Tensor): Value {
  const [batch, ...rest] = tensor.shape;
  const shape = [batch, ...rest.slice(-1), ...rest.slice(0, -1)];
  return { ...onBackend(tensor), shape, channelsLast: rest.length > 1 };
}

/** A value with another tensor of its shape, in the same order of axes. */
export const likeStored = (value: Value, tensor: Tensor): Value =>
  value.channelsLast ? withChannelsLast(tensor) : onBackend(tensor);

/** [0, 2, 3, 1] for rank 4. */
export const toChannelsLast = (rank: number): number[] => [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];

/** [0, 3, 1, 2] for rank 4. */
export const toChannelsFirst = (rank: number): number[] => [
  0,
  rank - 1,
  ...Array.from({ length: rank - 2 }, (_, i) => i + 1),
];

const upload = ({ numbers, shape, type }: Value): Tensor =>
  type === 'bool'
    ? tf.tensor(Uint8Array.from(numbers as Numbers), [...shape], 'bool')
    : tf.tensor(
        numbers instanceof Float32Array ? numbers : Float32Array.from(numbers as Numbers),
        [...shape],
        'float32',
      );

/** The tensor as it is stored. */
export const storedTensor = (value: Value): Tensor => value.tensor ?? upload(value);

/** The tensor in the graph's order of axes. */
export function tensorOf(value: Value): Tensor {
  const stored = storedTensor(value);
  return value.channelsLast ? tf.transpose(stored, toChannelsFirst(stored.rank)) : stored;
}

/** The tensor [batch, …, channels] of a value [batch, channels, …]. */
export function channelsLastOf(value: Value): Tensor {
  const stored = storedTensor(value);
  if (value.channelsLast || stored.rank < 3) return stored;
  return transposed(stored, toChannelsLast(stored.rank));
}

/** An axis of the graph's order, counted from the end where it is negative, as one from 0. */
export function axisOf(axis: number, rank: number): number {
  const from0 = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(from0) || from0 < 0 || from0 >= Math.max(rank, 1)) {
    throw new InputError(`expected an axis of a tensor of rank ${rank}, got ${axis}`);
  }
  return from0;
}

/** The axis of the stored tensor that is an axis of the graph's order. */
export function storedAxis({ shape, channelsLast }: Value, axis: number): number {
  const from0 = axisOf(axis, shape.length);
  return channelsLast ? toChannelsFirst(shape.length)[from0] : from0;
}
