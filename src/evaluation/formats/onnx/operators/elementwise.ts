// Operators on numbers one by one: arithmetic with broadcasting, comparisons and functions. Each has its op of TensorFlow.js,
// and most a function of numbers too, for the arithmetic of shapes.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { transposed } from '../../../../ops/transposed.ts';
import { type Call, expectAttribute, givenInputs, input, numberOf, numbersAt, type Operator } from '../call.ts';
import { elementwise } from '../memory.ts';
import { dataTypeName, elementType } from '../tensors.ts';
import {
  type ElementType,
  fitsWhole,
  isWhole,
  likeStored,
  onBackend,
  storedTensor,
  tensorOf,
  toChannelsLast,
  type Value,
  withChannelsLast,
} from '../values.ts';

/** A function of each number. */
export const unary =
  (op: (x: Tensor, call: Call) => Tensor, compute?: (x: number) => number, result?: ElementType): Operator =>
  (call) => {
    const x = input(call, 0);
    if (compute !== undefined && x.numbers !== null) return elementwise([x], result ?? x.type, compute);
    return likeStored(x, op(storedTensor(x), call));
  };

/** The operands in one order of axes, so that TensorFlow.js broadcasts them as ONNX does, and what makes a value of the result. */
export function aligned(values: readonly Value[]): { tensors: Tensor[]; wrap: (result: Tensor) => Value } {
  const rank = Math.max(...values.map(({ shape }) => shape.length));
  if (!values.some(({ channelsLast, shape }) => channelsLast && shape.length === rank)) {
    return { tensors: values.map(tensorOf), wrap: onBackend };
  }
  const tensors = values.map((value) => {
    if (value.channelsLast && value.shape.length === rank) return storedTensor(value);
    const tensor = tensorOf(value);
    if (tensor.size === 1) return tf.reshape(tensor, []);
    const whole = [...new Array<number>(rank - tensor.rank).fill(1), ...tensor.shape];
    return transposed(tf.reshape(tensor, whole), toChannelsLast(rank));
  });
  return { tensors, wrap: withChannelsLast };
}

const inMemoryAll = (values: readonly Value[]): boolean => values.every(({ numbers }) => numbers !== null);

/** Floats where one is a float; integers where all are. */
const commonType = (values: readonly Value[]): ElementType =>
  values.some(({ type }) => type === 'float') ? 'float' : values[0].type;

type Binary = (a: Tensor, b: Tensor) => Tensor;

function binary(op: Binary, compute: (a: number, b: number) => number, result?: ElementType): Operator {
  return (call) => {
    const values = [input(call, 0), input(call, 1)];
    if (inMemoryAll(values)) return elementwise(values, result ?? commonType(values), compute);
    const { tensors, wrap } = aligned(values);
    return wrap(op(tensors[0], tensors[1]));
  };
}

/** Several operands, two by two. */
function variadic(
  op: Binary,
  compute: (...x: number[]) => number,
  finish = (x: Tensor, _: number): Tensor => x,
): Operator {
  return (call) => {
    const values = givenInputs(call);
    if (inMemoryAll(values)) return elementwise(values, commonType(values), compute);
    const { tensors, wrap } = aligned(values);
    return wrap(finish(tensors.reduce(op), tensors.length));
  };
}

/** |x|, with derivative 0 at 0; that of `tf.abs` is −1 there. */
export const absolute = (x: Tensor): Tensor => tf.mul(x, tf.sign(x));

const sum = (...x: number[]): number => x.reduce((a, b) => a + b, 0);

/** x − y·⌊x / y⌋ has the sign of y; with `fmod` set, of x as in C. */
const modulo: Operator = (call) => {
  const fmod = numberOf(call, 'fmod', 0) !== 0;
  if (fmod && !inMemoryAll(givenInputs(call))) {
    throw new InputError('expected fmod 0, or numbers that do not depend on the pixels');
  }
  return binary(tf.mod, (a, b) => (fmod ? a % b : a - b * Math.floor(a / b)))(call);
};

/** x^y; constant exponents that have an op of their own use it, since its gradient is exact at 0 and below. */
const power: Operator = (call) => {
  const exponent = input(call, 1).numbers;
  const x = input(call, 0);
  const constant = exponent?.length === 1 ? exponent[0] : undefined;
  // The result has the type of x, whatever that of the exponent.
  if (exponent !== undefined && exponent !== null && x.numbers !== null) {
    return elementwise([x, input(call, 1)], x.type, (a, b) => a ** b);
  }
  if (constant === undefined) return binary(tf.pow, (a, b) => a ** b)(call);
  const stored = storedTensor(x);
  if (constant === 1) return x;
  if (constant === 2) return likeStored(x, tf.square(stored));
  if (constant === 3) return likeStored(x, tf.mul(stored, tf.square(stored)));
  if (constant === 0.5) return likeStored(x, tf.sqrt(stored));
  if (constant === -0.5) return likeStored(x, tf.rsqrt(stored));
  return likeStored(x, tf.pow(stored, constant));
};

const where: Operator = (call) => {
  const values = [input(call, 0), input(call, 1), input(call, 2)];
  const [, yes, no] = values;
  if (inMemoryAll(values)) return elementwise(values, commonType([yes, no]), (condition, a, b) => (condition ? a : b));
  const {
    tensors: [condition, a, b],
    wrap,
  } = aligned(values);
  return wrap(tf.where(tf.cast(condition, 'bool'), a, b));
};

const clip: Operator = (call) => {
  const x = input(call, 0);
  const low = numbersAt(call, 1)?.[0] ?? numberOf(call, 'min', Number.NEGATIVE_INFINITY);
  const high = numbersAt(call, 2)?.[0] ?? numberOf(call, 'max', Number.POSITIVE_INFINITY);
  if (x.numbers !== null) return elementwise([x], x.type, (value) => Math.min(Math.max(value, low), high));
  const stored = storedTensor(x);
  // Every number is then `high`, by the order in which ONNX takes the two; `tf.clipByValue` refuses such a range.
  if (low > high) return likeStored(x, tf.minimum(tf.maximum(stored, low), high));
  // Their derivative at 0, which dark pixels reach, is 0 as PyTorch's.
  if (low === 0 && high === Number.POSITIVE_INFINITY) return likeStored(x, tf.relu(stored));
  if (low === 0 && high === 6) return likeStored(x, tf.relu6(stored));
  return likeStored(x, tf.clipByValue(stored, low, high));
};

/** Conversions between floats change nothing; what depends on the pixels has no gradient as a whole number. */
const castTo = (x: Value, type: ElementType, name: string): Value => {
  if (x.numbers !== null) {
    const convert = (value: number): number => {
      if (type === 'bool') return Number(value !== 0);
      // Whole numbers wrap around; for floats ONNX says nothing, and its runtimes differ.
      if (x.type === 'float' && isWhole(type) && !fitsWhole(value, type)) {
        throw new InputError(`expected a number within the range of ${name}, got ${value}`);
      }
      return value;
    };
    return elementwise([x], type, convert);
  }
  if (isWhole(type)) {
    throw new InputError(`expected a float to stay one, got a cast to ${name}, which has no gradient`);
  }
  if (x.type === type) return x;
  return likeStored(x, tf.cast(storedTensor(x), type === 'bool' ? 'bool' : 'float32'));
};

const cast: Operator = (call) => {
  const to = numberOf(call, 'to', 1);
  const type = elementType(to);
  if (type === undefined) throw new InputError(`expected a cast to a number, got one to ${dataTypeName(to)}`);
  return castTo(input(call, 0), type, dataTypeName(to));
};

const isTrue = (x: boolean): number => Number(x);

/** A function whose derivative is 0 wherever it has one; TensorFlow.js has no gradient for most of these. */
const flat =
  (op: unknown): ((...x: Tensor[]) => Tensor) =>
  (...x) =>
    tf.customGrad((...given) => {
      const operands = given.slice(0, x.length) as Tensor[];
      return {
        value: (op as (...x: Tensor[]) => Tensor)(...operands),
        gradFunc: () => operands.map(({ shape }) => tf.zeros(shape)),
      };
    })(...x);

const comparison = (op: Binary, compute: (a: number, b: number) => boolean): Operator =>
  binary(flat(op), (a, b) => isTrue(compute(a, b)), 'bool');

const castLike: Operator = (call) => castTo(input(call, 0), input(call, 1).type, input(call, 1).type);

const isInfinite: Operator = (call) => {
  expectAttribute('detect_negative', numberOf(call, 'detect_negative', 1), [1]);
  expectAttribute('detect_positive', numberOf(call, 'detect_positive', 1), [1]);
  const infinite = (x: number): number => isTrue(Math.abs(x) === Number.POSITIVE_INFINITY);
  return unary((x) => flat(tf.isInf)(x), infinite, 'bool')(call);
};

export const elementwiseOperators = {
  Add: binary(tf.add, (a, b) => a + b),
  Sub: binary(tf.sub, (a, b) => a - b),
  Mul: binary(tf.mul, (a, b) => a * b),
  Div: binary(tf.div, (a, b) => a / b),
  Mod: modulo,
  Pow: power,
  Max: variadic(tf.maximum, Math.max),
  Min: variadic(tf.minimum, Math.min),
  Sum: variadic(tf.add, sum),
  Mean: variadic(
    tf.add,
    (...x) => sum(...x) / x.length,
    (x, count) => tf.div(x, count),
  ),
  Equal: comparison(tf.equal, (a, b) => a === b),
  Greater: comparison(tf.greater, (a, b) => a > b),
  GreaterOrEqual: comparison(tf.greaterEqual, (a, b) => a >= b),
  Less: comparison(tf.less, (a, b) => a < b),
  LessOrEqual: comparison(tf.lessEqual, (a, b) => a <= b),
  And: binary(flat(tf.logicalAnd), (a, b) => isTrue(a !== 0 && b !== 0), 'bool'),
  Or: binary(flat(tf.logicalOr), (a, b) => isTrue(a !== 0 || b !== 0), 'bool'),
  Xor: binary(flat(tf.logicalXor), (a, b) => isTrue((a !== 0) !== (b !== 0)), 'bool'),
  Not: unary(
    (x) => flat(tf.logicalNot)(x),
    (x) => isTrue(x === 0),
  ),
  IsNaN: unary(
    (x) => flat(tf.isNaN)(x),
    (x) => isTrue(Number.isNaN(x)),
    'bool',
  ),
  IsInf: isInfinite,
  Where: where,
  Cast: cast,
  CastLike: castLike,
  Clip: clip,
  Neg: unary(tf.neg, (x) => -x),
  Abs: unary(absolute, Math.abs),
  Sign: unary(tf.sign, Math.sign),
  Floor: unary(tf.floor, Math.floor),
  Ceil: unary(tf.ceil, Math.ceil),
  Round: unary(tf.round),
  Reciprocal: unary(
    (x) => tf.div(1, x),
    (x) => 1 / x,
  ),
  Sqrt: unary(tf.sqrt, Math.sqrt),
  Exp: unary(tf.exp, Math.exp),
  Log: unary(tf.log, Math.log),
  Sin: unary(tf.sin),
  Cos: unary(tf.cos),
  Erf: unary(tf.erf),
} as const satisfies Readonly<Record<string, Operator>>;
