// Operators that pick or write numbers at places which are known before the pixels are.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { sizeOf } from '../../../../core/structure.ts';
import { alongAxis, section } from '../axes.ts';
import { expectAttribute, flagOf, input, numberOf, numbersAt, numbersOf, type Operator, textOf } from '../call.ts';
import { stridesOf } from '../memory.ts';
import { axisOf, checkShape, inMemory, type Numbers, onBackend, tensorOf, type Value } from '../values.ts';

/** Places along an axis of `extent`, none negative. */
function placesIn(extent: number, given: readonly number[]): readonly number[] {
  const places = given.map((place) => (place < 0 ? place + extent : place));
  const beyond = places.findIndex((place) => !(Number.isInteger(place) && place >= 0 && place < extent));
  if (beyond >= 0) throw new InputError(`expected places ${-extent} to ${extent - 1}, got ${given[beyond]}`);
  return places;
}

/** The rows of a matrix at some places, in any order. */
function rowsOf(x: Value, rows: number, places: readonly number[], shape: readonly number[]): Value {
  checkShape(shape);
  const width = sizeOf(x.shape) / Math.max(1, rows);
  if (x.numbers !== null) return inMemory(pickRows(x.numbers, width, places), shape, x.type);
  return onBackend(tf.reshape(pickedAlong(tf.reshape(tensorOf(x), [rows, width]), 0, places), [...shape]));
}

function pickRows(numbers: Numbers, width: number, places: readonly number[]): Float64Array {
  const result = new Float64Array(places.length * width);
  places.forEach((place, row) => {
    for (let i = 0; i < width; i++) result[row * width + i] = numbers[place * width + i];
  });
  return result;
}

/** The most weights of a matrix that picks places. */
const LARGEST_MATRIX = 2 ** 22;

/** Places along an axis. A product with a matrix of zeros and ones has the faster gradient, where that matrix is small. */
function pickedAlong(x: Tensor, axis: number, places: readonly number[]): Tensor {
  const extent = x.shape[axis];
  if (extent * places.length > LARGEST_MATRIX) return tf.gather(x, tf.tensor1d([...places], 'int32'), axis);
  const matrix = new Float32Array(extent * places.length);
  places.forEach((place, i) => {
    matrix[place * places.length + i] = 1;
  });
  return alongAxis(x, axis, tf.tensor2d(matrix, [extent, places.length]));
}

/** Places along an axis, in any order. */
const gather: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  const axis = axisOf(numberOf(call, 'axis', 0), x.shape.length);
  const extent = x.shape[axis];
  const places = placesIn(extent, numbersOf(indices));
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  checkShape(shape);
  const [start = 0, next = start + 1] = places;
  const step = next - start;
  if (places.length > 0 && step !== 0 && places.every((place, i) => place === start + i * step)) {
    const part = section(x, axis, start, places.length, step);
    return part.numbers === null
      ? onBackend(tf.reshape(tensorOf(part), shape))
      : inMemory(part.numbers, shape, part.type);
  }
  if (axis === 0) return rowsOf(x, extent, places, shape);
  if (x.numbers === null) return onBackend(tf.reshape(pickedAlong(tensorOf(x), axis, places), shape));
  const width = sizeOf(x.shape.slice(axis + 1));
  const outer = sizeOf(x.shape.slice(0, axis));
  const all = Array.from({ length: outer }, (_, row) => places.map((place) => row * extent + place)).flat();
  return inMemory(pickRows(x.numbers, width, all), shape, x.type);
};

/** The row that each index vector names among the first axes of a shape. */
function rowsNamed(shape: readonly number[], indices: Value): readonly number[] {
  const depth = indices.shape.at(-1) ?? 0;
  const strides = stridesOf(shape.slice(0, depth));
  const numbers = numbersOf(indices);
  return Array.from({ length: numbers.length / Math.max(1, depth) }, (_, row) =>
    strides.reduce((place, stride, axis) => {
      const [at] = placesIn(shape[axis], [numbers[row * depth + axis]]);
      return place + at * stride;
    }, 0),
  );
}

const gatherNd: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  expectAttribute('batch_dims', numberOf(call, 'batch_dims', 0), [0]);
  const depth = indices.shape.at(-1) ?? 0;
  const shape = [...indices.shape.slice(0, -1), ...x.shape.slice(depth)];
  return rowsOf(x, sizeOf(x.shape.slice(0, depth)), rowsNamed(x.shape, indices), shape);
};

/** The place of each number of the result in a tensor, along an axis that the indices give. */
function elementsNamed(shape: readonly number[], indices: Value, axis: number): readonly number[] {
  const strides = stridesOf(shape);
  const own = stridesOf(indices.shape);
  const places = placesIn(shape[axis], numbersOf(indices));
  return places.map((place, i) =>
    own.reduce((at, stride, j) => {
      const along = j === axis ? place : Math.floor(i / stride) % indices.shape[j];
      return at + along * strides[j];
    }, 0),
  );
}

const gatherElements: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  const axis = axisOf(numberOf(call, 'axis', 0), x.shape.length);
  return rowsOf(x, sizeOf(x.shape), elementsNamed(x.shape, indices, axis), indices.shape);
};

/** The rows of a tensor with some of them replaced: picked from both, put one behind the other. */
function withRows(x: Value, rows: number, places: readonly number[], updates: Value): Value {
  const source = Array.from({ length: rows }, (_, row) => row);
  places.forEach((place, i) => {
    source[place] = rows + i;
  });
  const width = sizeOf(x.shape) / Math.max(1, rows);
  if (x.numbers !== null && updates.numbers !== null) {
    return inMemory(pickRows([...x.numbers, ...updates.numbers], width, source), x.shape, x.type);
  }
  const both = [x, updates].map((value) => tf.reshape(tensorOf(value), [-1, width]));
  return onBackend(tf.reshape(pickedAlong(tf.concat(both), 0, source), [...x.shape]));
}

const scatterNd: Operator = (call) => {
  const [x, indices, updates] = [input(call, 0), input(call, 1), input(call, 2)];
  expectAttribute('reduction', textOf(call, 'reduction', 'none'), ['none']);
  const rows = sizeOf(x.shape.slice(0, indices.shape.at(-1) ?? 0));
  return withRows(x, rows, rowsNamed(x.shape, indices), updates);
};

const scatterElements: Operator = (call) => {
  const [x, indices, updates] = [input(call, 0), input(call, 1), input(call, 2)];
  expectAttribute('reduction', textOf(call, 'reduction', 'none'), ['none']);
  const axis = axisOf(numberOf(call, 'axis', 0), x.shape.length);
  return withRows(x, sizeOf(x.shape), elementsNamed(x.shape, indices, axis), updates);
};

/** Places of the numbers other than 0, one row of coordinates for each axis. */
const nonZero: Operator = (call) => {
  const x = input(call, 0);
  const strides = stridesOf(x.shape);
  const places = numbersOf(x).flatMap((value, i) => (value === 0 ? [] : [i]));
  const numbers = strides.flatMap((stride, axis) => places.map((i) => Math.floor(i / stride) % x.shape[axis]));
  return inMemory(numbers, [x.shape.length, places.length], 'int64');
};

/** Sums of all numbers up to each place, as a product with a triangular matrix. */
const cumulativeSum: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(numbersAt(call, 1)?.[0] ?? 0, x.shape.length);
  const extent = x.shape[axis];
  const [exclusive, reverse] = [flagOf(call, 'exclusive'), flagOf(call, 'reverse')];
  checkShape([extent, extent]);
  const counts = (from: number, to: number): boolean =>
    (reverse ? from > to : from < to) || (from === to && !exclusive);
  const matrix = Float32Array.from({ length: extent * extent }, (_, i) =>
    Number(counts(Math.floor(i / extent), i % extent)),
  );
  const sums = alongAxis(tensorOf(x), axis, tf.tensor2d(matrix, [extent, extent]));
  return x.numbers === null ? onBackend(sums) : inMemory(Array.from(sums.dataSync()), x.shape, x.type);
};

/** 1 and 0 (or other values) at and besides a class along a new axis. */
const oneHot: Operator = (call) => {
  const [indices, depth, values] = [0, 1, 2].map((i) => numbersOf(input(call, i)));
  const { shape } = input(call, 0);
  const axis = axisOf(numberOf(call, 'axis', -1), shape.length + 1);
  const [count] = depth;
  const whole = checkShape([...shape.slice(0, axis), count, ...shape.slice(axis)]);
  const inner = sizeOf(shape.slice(axis));
  const numbers = Float64Array.from({ length: sizeOf(whole) }, (_, i) => {
    const [outer, at] = [Math.floor(i / (inner * count)), Math.floor(i / inner) % count];
    const index = indices[outer * inner + (i % inner)];
    return values[Number((index < 0 ? index + count : index) === at)];
  });
  return inMemory(numbers, whole, input(call, 2).type);
};

export const indexingOperators = {
  Gather: gather,
  GatherND: gatherNd,
  GatherElements: gatherElements,
  ScatterND: scatterNd,
  ScatterElements: scatterElements,
  NonZero: nonZero,
  CumSum: cumulativeSum,
  OneHot: oneHot,
} as const satisfies Readonly<Record<string, Operator>>;
