// Operators that change shapes, make constants and compute with shapes; no number of a tensor changes.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { sizeOf } from '../../../../core/structure.ts';
import { transposed } from '../../../../ops/transposed.ts';
import { repeatedTo } from '../axes.ts';
import {
  type Call,
  flagOf,
  input,
  listOf,
  listOrInput,
  numberOf,
  numbersAt,
  numbersOf,
  type Operator,
} from '../call.ts';
import { broadcastNumbers, broadcastShape, stridesOf, viewed } from '../memory.ts';
import type { TensorRecord } from '../model.ts';
import { readStored } from '../tensors.ts';
import {
  axisOf,
  checkShape,
  inMemory,
  onBackend,
  storedTensor,
  tensorOf,
  toChannelsFirst,
  toChannelsLast,
  type Value,
  withChannelsLast,
} from '../values.ts';

/** A value with its numbers in another shape. */
function reshaped(x: Value, shape: readonly number[]): Value {
  if (sizeOf(shape) !== sizeOf(x.shape)) {
    throw new InputError(`expected a shape for ${sizeOf(x.shape)} numbers, got [${shape.join(', ')}]`);
  }
  if (x.numbers !== null) return inMemory(x.numbers, shape, x.type);
  // Where only one axis is longer than 1, both orders are the same.
  if (x.channelsLast && x.shape.slice(2).every((extent) => extent === 1)) {
    return onBackend(tf.reshape(storedTensor(x), [...shape]));
  }
  return onBackend(tf.reshape(tensorOf(x), [...shape]));
}

/** The extent −1 stands for whatever is left; 0 for the extent that was there. */
const reshape: Operator = (call) => {
  const x = input(call, 0);
  const keepsZero = flagOf(call, 'allowzero');
  const asked = numbersOf(input(call, 1)).map((extent, axis) =>
    extent === 0 && !keepsZero ? (x.shape[axis] ?? 0) : extent,
  );
  const known = sizeOf(asked.filter((extent) => extent !== -1));
  return reshaped(
    x,
    asked.map((extent) => (extent === -1 ? sizeOf(x.shape) / known : extent)),
  );
};

const flatten: Operator = (call) => {
  const x = input(call, 0);
  const axis = numberOf(call, 'axis', 1);
  const from0 = axis < 0 ? axis + x.shape.length : axis;
  const rows = sizeOf(x.shape.slice(0, from0));
  return reshaped(x, [rows, sizeOf(x.shape.slice(from0))]);
};

const squeeze: Operator = (call) => {
  const x = input(call, 0);
  const axes = listOrInput(call, 'axes', 1)?.map((axis) => axisOf(axis, x.shape.length));
  return reshaped(
    x,
    x.shape.filter((extent, axis) => !(axes === undefined ? extent === 1 : axes.includes(axis))),
  );
};

const unsqueeze: Operator = (call) => {
  const x = input(call, 0);
  const given = listOrInput(call, 'axes', 1) ?? [];
  const rank = x.shape.length + given.length;
  const axes = given.map((axis) => axisOf(axis, rank));
  const rest = [...x.shape];
  return reshaped(
    x,
    Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1))),
  );
};

/** Images are only relabelled where the order is that in which they are stored. */
const transpose: Operator = (call) => {
  const x = input(call, 0);
  const rank = x.shape.length;
  const order = listOf(call, 'perm') ?? x.shape.map((_, axis) => rank - 1 - axis);
  if (order.length !== rank || new Set(order).size !== rank || order.some((axis) => !(axis >= 0 && axis < rank))) {
    throw new InputError(`expected perm to be an order of ${rank} axes, got [${order.join(', ')}]`);
  }
  const shape = order.map((axis) => x.shape[axis]);
  if (x.numbers !== null) {
    const strides = stridesOf(x.shape);
    return inMemory(
      viewed(
        x.numbers,
        shape,
        order.map((axis) => strides[axis]),
        0,
      ),
      shape,
      x.type,
    );
  }
  if (rank > 2 && x.channelsLast && String(order) === String(toChannelsLast(rank))) return onBackend(storedTensor(x));
  if (rank > 2 && !x.channelsLast && String(order) === String(toChannelsFirst(rank))) {
    return withChannelsLast(storedTensor(x));
  }
  if (!x.channelsLast) return onBackend(transposed(storedTensor(x), order));
  const stored = toChannelsFirst(rank);
  return onBackend(
    transposed(
      storedTensor(x),
      order.map((axis) => stored[axis]),
    ),
  );
};

/** Repeats along axes of extent 1. */
const expand: Operator = (call) => {
  const x = input(call, 0);
  const shape = broadcastShape(x.shape, numbersOf(input(call, 1)));
  checkShape(shape);
  if (x.numbers !== null) return inMemory(broadcastNumbers(x.numbers, x.shape, shape), shape, x.type);
  if (String(shape) === String(x.shape)) return x;
  return onBackend(repeatedTo(tensorOf(x), shape));
};

const shapeOf: Operator = (call) => {
  const { shape } = input(call, 0);
  const end = numberOf(call, 'end', shape.length);
  const part = shape.slice(numberOf(call, 'start', 0), end);
  return inMemory([...part], [part.length], 'int64');
};

const CONSTANTS = ['value_float', 'value_int', 'value_floats', 'value_ints'] as const;

const constant: Operator = (call) => {
  const { attributes } = call.node;
  const tensor = attributes.get('value') as TensorRecord | undefined;
  if (tensor !== undefined && tensor !== null) {
    if (typeof tensor !== 'object' || !('dims' in tensor)) throw new InputError('expected a tensor as its value');
    if (tensor.external !== null)
      throw new InputError('expected a constant in the file itself, got one in another file');
    return readStored(tensor, tensor.raw);
  }
  const name = CONSTANTS.find((one) => attributes.has(one));
  if (name === undefined) throw new InputError('expected a constant of numbers');
  const numbers = [attributes.get(name)].flat() as number[];
  return inMemory(numbers, name.endsWith('s') ? [numbers.length] : [], name.includes('int') ? 'int64' : 'float');
};

const constantOfShape: Operator = (call) => {
  const shape = checkShape(numbersOf(input(call, 0)));
  const tensor = call.node.attributes.get('value') as TensorRecord | undefined;
  const value = tensor === undefined || tensor === null ? inMemory([0], [1], 'float') : readStored(tensor, tensor.raw);
  return inMemory(new Float64Array(sizeOf(shape)).fill(numbersOf(value)[0]), shape, value.type);
};

const range: Operator = (call) => {
  const [start, limit, step] = [0, 1, 2].map((i) => numbersOf(input(call, i))[0]);
  const count = Math.max(0, Math.ceil((limit - start) / step));
  checkShape([count]);
  return inMemory(
    Float64Array.from({ length: count }, (_, i) => start + i * step),
    [count],
    input(call, 0).type,
  );
};

const eyeLike: Operator = (call) => {
  const { shape } = input(call, 0);
  const shift = numberOf(call, 'k', 0);
  const [, columns] = checkShape(shape);
  const numbers = Float64Array.from({ length: sizeOf(shape) }, (_, i) =>
    Number((i % columns) - Math.floor(i / columns) === shift),
  );
  return inMemory(numbers, shape, 'float');
};

const identity: Operator = (call: Call) => input(call, 0);

/** Random only in training; its second output, the mask, keeps all. */
const dropout: Operator = (call) => {
  const x = input(call, 0);
  if (numbersAt(call, 2)?.[0])
    throw new InputError('expected a dropout of evaluation: export the model after model.eval()');
  if (call.node.outputs.length < 2) return x;
  return [x, inMemory(new Float64Array(sizeOf(x.shape)).fill(1), x.shape, 'bool')];
};

export const shapeOperators = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Expand: expand,
  Shape: shapeOf,
  Size: (call) => inMemory([sizeOf(input(call, 0).shape)], [], 'int64'),
  Constant: constant,
  ConstantOfShape: constantOfShape,
  Range: range,
  EyeLike: eyeLike,
  Identity: identity,
  Dropout: dropout,
} as const satisfies Readonly<Record<string, Operator>>;
