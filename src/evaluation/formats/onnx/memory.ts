// Arithmetic of shapes on arrays in memory: what exporters compute of `Shape` before a reshape or a resize.
import { InputError } from '../../../core/errors.ts';
import { sizeOf } from '../../../core/structure.ts';
import { checkShape, type ElementType, inMemory, type Numbers, type Value } from './values.ts';

/** Steps between neighbours along each axis of a row-major array. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis];
  }
  return strides;
}

/** The numbers at `offset` plus steps of `strides`, as an array of `shape`: a transposition, a slice or a repetition. */
export function viewed(
  numbers: Numbers,
  shape: readonly number[],
  strides: readonly number[],
  offset: number,
): Float64Array {
  checkShape(shape);
  const result = new Float64Array(sizeOf(shape));
  const place = new Array<number>(shape.length).fill(0);
  let source = offset;
  for (let i = 0; i < result.length; i++) {
    result[i] = numbers[source];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis];
      if (++place[axis] < shape[axis]) break;
      source -= strides[axis] * shape[axis];
      place[axis] = 0;
    }
  }
  return result;
}

/**
 * The shape that two shapes broadcast to.
 *
 * @throws InputError if they do not fit
 */
export function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) {
      throw new InputError(`expected shapes that broadcast, got [${a.join(', ')}] and [${b.join(', ')}]`);
    }
    return x === 1 ? y : x;
  });
}

/** The numbers of an array repeated to a shape that it broadcasts to. */
export function broadcastNumbers(numbers: Numbers, from: readonly number[], to: readonly number[]): Numbers {
  if (String(from) === String(to)) return numbers;
  const strides = stridesOf(from);
  const missing = to.length - from.length;
  return viewed(
    numbers,
    to,
    to.map((_, axis) => (axis < missing || from[axis - missing] === 1 ? 0 : strides[axis - missing])),
    0,
  );
}

/** A function of numbers applied to arrays in memory, which broadcast. */
export function elementwise(values: readonly Value[], type: ElementType, compute: (...x: number[]) => number): Value {
  const shape = values.map((value) => value.shape).reduce(broadcastShape);
  const operands = values.map((value) => broadcastNumbers(value.numbers as Numbers, value.shape, shape));
  const result = new Float64Array(sizeOf(checkShape(shape)));
  for (let i = 0; i < result.length; i++) result[i] = compute(...operands.map((numbers) => numbers[i]));
  return inMemory(result, shape, type);
}
