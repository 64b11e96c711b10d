// Operators on numbers one by one: arithmetic with broadcasting, comparisons, functions and activations. Each has its op of
// TensorFlow.js, and most a function of numbers too, for the arithmetic of shapes.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { type Call, expectAttribute, givenInputs, input, numberOf, numbersAt, type Operator, textOf } from '../call.ts';
import { elementwise } from '../memory.ts';
import { dataTypeName, elementType } from '../tensors.ts';
import {
  channelsLastOf,
  type ElementType,
  likeStored,
  onBackend,
  storedTensor,
  tensorOf,
  toChannelsLast,
  transposed,
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
function aligned(values: readonly Value[]): { tensors: Tensor[]; wrap: (result: Tensor) => Value } {
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

function binary(
  op: Binary,
  compute: (a: number, b: number, type: ElementType) => number,
  result?: ElementType,
): Operator {
  return (call) => {
    const values = [input(call, 0), input(call, 1)];
    if (inMemoryAll(values)) {
      const type = commonType(values);
      return elementwise(values, result ?? type, (a, b) => compute(a, b, type));
    }
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
  if (constant === undefined || x.numbers !== null) return binary(tf.pow, (a, b) => a ** b)(call);
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
  if (low === 0 && high === Number.POSITIVE_INFINITY) return likeStored(x, tf.relu(stored));
  return likeStored(x, tf.clipByValue(stored, low, high));
};

/** Conversions between floats change nothing; what depends on the pixels has no gradient as a whole number. */
const castTo = (x: Value, type: ElementType, name: string): Value => {
  if (x.numbers !== null) {
    const convert = (value: number): number =>
      type === 'bool' ? Number(value !== 0) : type === 'int' ? Math.trunc(value) : value;
    return elementwise([x], type, convert);
  }
  if (type === 'int') {
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

/** x · Φ(x), or its approximation by a tanh. */
const gelu = (x: Tensor, approximate: boolean): Tensor => {
  const inner = approximate
    ? tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x))))))
    : tf.erf(tf.mul(x, Math.SQRT1_2));
  return tf.mul(tf.mul(x, 0.5), tf.add(inner, 1));
};

const hardSigmoid = (x: Tensor, alpha: number, beta: number): Tensor =>
  tf.clipByValue(tf.add(tf.mul(x, alpha), beta), 0, 1);

/** max(x, 0) + slope(min(x, 0)), whose gradient at 0 is that of the negative side, as PyTorch's. */
const negativePart = (x: Tensor): Tensor => tf.neg(tf.relu(tf.neg(x)));

const elu = (x: Tensor, alpha: number): Tensor => tf.add(tf.relu(x), tf.mul(tf.expm1(negativePart(x)), alpha));

const prelu: Operator = (call) => {
  const {
    tensors: [x, slope],
    wrap,
  } = aligned([input(call, 0), input(call, 1)]);
  return wrap(tf.add(tf.relu(x), tf.mul(negativePart(x), slope)));
};

/** ln(1 + eˣ), without overflow. */
const softplus = (x: Tensor): Tensor => tf.add(tf.relu(x), tf.log1p(tf.exp(tf.neg(tf.abs(x)))));

/** A softmax along the axis; up to opset 12 over all axes from it on. */
const alongAxis =
  (op: (x: Tensor) => Tensor): Operator =>
  (call) => {
    const x = input(call, 0);
    const rank = x.shape.length;
    if (call.opset < 13) {
      const axis = numberOf(call, 'axis', 1);
      const from = axis < 0 ? axis + rank : axis;
      const tensor = tensorOf(x);
      const rows = x.shape.slice(0, from).reduce((product, extent) => product * extent, 1);
      return onBackend(tf.reshape(op(tf.reshape(tensor, [rows, -1])), tensor.shape));
    }
    const axis = numberOf(call, 'axis', -1);
    const from = axis < 0 ? axis + rank : axis;
    if (from === 1 && rank > 2) return withChannelsLast(op(channelsLastOf(x)));
    const tensor = tensorOf(x);
    if (from === rank - 1) return onBackend(op(tensor));
    const swap = tensor.shape.map((_, i) => (i === from ? rank - 1 : i === rank - 1 ? from : i));
    return onBackend(tf.transpose(op(tf.transpose(tensor, swap)), swap));
  };

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
  Div: binary(tf.div, (a, b, type) => (type === 'int' ? Math.trunc(a / b) : a / b)),
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
  Abs: unary(tf.abs, Math.abs),
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
  Relu: unary(tf.relu),
  LeakyRelu: unary((x, call) => tf.leakyRelu(x, numberOf(call, 'alpha', 0.01))),
  ThresholdedRelu: unary((x, call) => tf.mul(x, tf.step(tf.sub(x, numberOf(call, 'alpha', 1))))),
  PRelu: prelu,
  Elu: unary((x, call) => elu(x, numberOf(call, 'alpha', 1))),
  Celu: unary((x, call) => {
    const alpha = numberOf(call, 'alpha', 1);
    return tf.add(tf.relu(x), tf.mul(tf.expm1(tf.div(negativePart(x), alpha)), alpha));
  }),
  Selu: unary((x, call) =>
    tf.mul(elu(x, numberOf(call, 'alpha', 1.6732632423543772)), numberOf(call, 'gamma', 1.0507009873554805)),
  ),
  Sigmoid: unary(tf.sigmoid),
  Tanh: unary(tf.tanh),
  Softplus: unary(softplus),
  Softsign: unary((x) => tf.div(x, tf.add(tf.abs(x), 1))),
  Mish: unary((x) => tf.mul(x, tf.tanh(softplus(x)))),
  Swish: unary((x, call) => tf.mul(x, tf.sigmoid(tf.mul(x, numberOf(call, 'alpha', 1))))),
  Gelu: unary((x, call) => gelu(x, textOf(call, 'approximate', 'none') === 'tanh')),
  HardSigmoid: unary((x, call) => hardSigmoid(x, numberOf(call, 'alpha', 0.2), numberOf(call, 'beta', 0.5))),
  HardSwish: unary((x) => tf.mul(x, hardSigmoid(x, 1 / 6, 0.5))),
  Softmax: alongAxis((x) => tf.softmax(x)),
  LogSoftmax: alongAxis((x) => tf.logSoftmax(x)),
} as const satisfies Readonly<Record<string, Operator>>;
