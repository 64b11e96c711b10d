// Elementwise ops of two tensors of which one lies in blocks of images.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend } from '../backend.ts';
import { affineInBlocks, channelForm, commonForm, mapBlocks } from './in-blocks.ts';

interface Operation {
  /** Blocks take it where it leaves zeros zero. */
  readonly of: (a: number, b: number) => number;
  /** `of(x, value)`, or with `before` `of(value, x)`, as a scale of x and a shift. */
  readonly affine?: (value: number, before: boolean) => readonly [scale: number, shift: number] | undefined;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  Add: { of: (a, b) => a + b, affine: (value) => [1, value] },
  Sub: { of: (a, b) => a - b, affine: (value, before) => (before ? [-1, value] : [1, -value]) },
  Multiply: { of: (a, b) => a * b, affine: (value) => [value, 0] },
  RealDiv: { of: (a, b) => a / b, affine: (value, before) => (before ? undefined : [1 / value, 0]) },
  Maximum: { of: Math.max },
  Minimum: { of: Math.min },
  SquaredDifference: { of: (a, b) => (a - b) ** 2 },
};

/** The kernel of an operation on `length` values from each address; a stride of 0 repeats one value. */
export type RunFlat = (a: number, b: number, y: number, length: number, strides: readonly [number, number]) => void;

/**
 * f(a, b) of tensors of which one was made in blocks, in blocks: both of one shape, or the other one a number or a value
 * for each channel. Undefined if that is not so, or where the zeros around the values would not stay zero.
 */
export function binaryInBlocks(
  backend: EngineBackend,
  name: string,
  a: TensorInfo,
  b: TensorInfo,
  run: RunFlat,
): TensorInfo | undefined {
  const operation = OPERATIONS[name];
  if (operation === undefined) return undefined;
  const form = commonForm(backend, [a, b]);
  if (form === undefined) {
    return withSmaller(backend, operation, a, b, false, run) ?? withSmaller(backend, operation, b, a, true, run);
  }
  if (operation.of(0, 0) !== 0) return undefined;
  return mapBlocks(backend, [a, b], form, ([left, right], y, length) => run(left, right, y, length, [1, 1]));
}

/** The operation of x and a number or a channel vector, which comes `before` it or after it. */
function withSmaller(
  backend: EngineBackend,
  { of, affine }: Operation,
  x: TensorInfo,
  other: TensorInfo,
  before: boolean,
  run: RunFlat,
): TensorInfo | undefined {
  const form = commonForm(backend, [x]);
  if (form === undefined || other.dtype !== 'float32' || other.shape.length > x.shape.length) return undefined;
  const values = backend.heap.float32(backend.pointer(other), sizeOf(other.shape));
  const [value] = values;
  if (values.length === 1 && (before ? of(value, 0) : of(0, value)) === 0) {
    const scalar = backend.pointer(other);
    return mapBlocks(backend, [x], form, ([from], y, length) =>
      before ? run(scalar, from, y, length, [0, 1]) : run(from, scalar, y, length, [1, 0]),
    );
  }
  const pairs = affine && channelForm(backend, x, other) ? Array.from(values, (v) => affine(v, before)) : [undefined];
  if (!pairs.every((pair) => pair !== undefined)) return undefined;
  return affineInBlocks(
    backend,
    x,
    form,
    pairs.map(([scale]) => scale),
    pairs.map(([, shift]) => shift),
  );
}
