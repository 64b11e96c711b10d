// Operators that pick, join and repeat parts of tensors. Steps and repetitions are built of slices and reshapes, whose
// gradients are exact for every rank.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { sizeOf } from '../../../../core/structure.ts';
import { transposed } from '../../../../ops/transposed.ts';
import { repeatedTo, section, sectionOf } from '../axes.ts';
import {
  expectAttribute,
  flagOf,
  givenInputs,
  input,
  listOf,
  numberOf,
  numbersAt,
  numbersOf,
  type Operator,
  textOf,
} from '../call.ts';
import { stridesOf, viewed } from '../memory.ts';
import {
  axisOf,
  channelsLastOf,
  checkShape,
  inMemory,
  likeStored,
  onBackend,
  storedAxis,
  storedTensor,
  tensorOf,
  type Value,
  withChannelsLast,
} from '../values.ts';

const concat: Operator = (call) => {
  const values = givenInputs(call).filter(({ shape }) => sizeOf(shape) > 0 || shape.length > 1);
  const rank = values[0]?.shape.length ?? 1;
  const axis = axisOf(numberOf(call, 'axis', 0), rank);
  if (values.every(({ numbers }) => numbers !== null)) return concatInMemory(values, axis);
  if (values.some(({ channelsLast }) => channelsLast)) {
    return withChannelsLast(tf.concat(values.map(channelsLastOf), axis === 0 ? 0 : axis === 1 ? rank - 1 : axis - 1));
  }
  return onBackend(tf.concat(values.map(tensorOf), axis));
};

function concatInMemory(values: readonly Value[], axis: number): Value {
  const shape = values.length === 0 ? [0] : [...values[0].shape];
  if (values.length > 0) shape[axis] = values.reduce((total, value) => total + value.shape[axis], 0);
  const rows = sizeOf(shape.slice(0, axis));
  const result: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (const { numbers, shape: own } of values) {
      const length = sizeOf(own.slice(axis));
      for (let i = 0; i < length; i++) result.push(numbers?.[row * length + i] ?? 0);
    }
  }
  return inMemory(result, shape, values[0]?.type ?? 'int64');
}

const slice: Operator = (call) => {
  const x = input(call, 0);
  const [starts, ends] = [numbersOf(input(call, 1)), numbersOf(input(call, 2))];
  const axes = numbersAt(call, 3) ?? starts.map((_, i) => i);
  const steps = numbersAt(call, 4) ?? starts.map(() => 1);
  return axes.reduce((value, given, i) => {
    const axis = axisOf(given, x.shape.length);
    const extent = x.shape[axis];
    const step = steps[i];
    if (!Number.isInteger(step) || step === 0) throw new InputError(`expected a step other than 0, got ${step}`);
    const [low, high] = step > 0 ? [0, extent] : [-1, extent - 1];
    const within = (place: number): number => Math.min(Math.max(place < 0 ? place + extent : place, low), high);
    const start = step > 0 ? within(starts[i]) : Math.max(0, within(starts[i]));
    const count = Math.max(0, Math.ceil((within(ends[i]) - start) / step));
    return section(value, axis, start, count, step);
  }, x);
};

const split: Operator = (call) => {
  const x = input(call, 0);
  const axis = axisOf(numberOf(call, 'axis', 0), x.shape.length);
  const count = numberOf(call, 'num_outputs', call.node.outputs.length);
  const size = Math.ceil(x.shape[axis] / count);
  const sizes =
    listOf(call, 'split') ??
    numbersAt(call, 1) ??
    Array.from({ length: count }, (_, i) => Math.min(size, x.shape[axis] - i * size));
  if (sizes.reduce((total, part) => total + part, 0) !== x.shape[axis]) {
    throw new InputError(`expected parts of ${x.shape[axis]} in all, got [${sizes.join(', ')}]`);
  }
  let start = 0;
  return sizes.map((part) => {
    const value = section(x, axis, start, part, 1);
    start += part;
    return value;
  });
};

/** The largest or smallest values along an axis, in order; not their places, which have no gradient. */
const topK: Operator = (call) => {
  const x = input(call, 0);
  const [count] = numbersOf(input(call, 1));
  const axis = storedAxis(x, numberOf(call, 'axis', -1));
  const stored = storedTensor(x);
  const extent = stored.shape[axis];
  if (count > extent) throw new InputError(`expected a number of values up to ${extent}, got ${count}`);
  const others = stored.shape.flatMap((_, other) => (other === axis ? [] : [other]));
  const rows = transposed(stored, [...others, axis]);
  const sign = flagOf(call, 'largest', true) ? 1 : -1;
  const values = tf.mul(tf.topk(tf.mul(rows, sign), count).values, sign);
  return likeStored(x, transposed(values, others.map((_, place) => place).toSpliced(axis, 0, others.length)));
};

/** Repeats whole axes. */
const tile: Operator = (call) => {
  const x = input(call, 0);
  const repeats = numbersOf(input(call, 1));
  const shape = checkShape(x.shape.map((extent, axis) => extent * repeats[axis]));
  if (x.numbers !== null) {
    const apart = x.shape.flatMap((extent, axis) => [repeats[axis], extent]);
    const strides = stridesOf(x.shape).flatMap((stride) => [0, stride]);
    return inMemory(viewed(x.numbers, apart, strides, 0), shape, x.type);
  }
  const copies = (tensor: Tensor, count: number, axis: number): Tensor =>
    count === 1 ? tensor : tf.concat(new Array<Tensor>(count).fill(tensor), axis);
  return onBackend(repeats.reduce(copies, tensorOf(x)));
};

/** What lies before and after an axis: its mirror image without the edge, its edge, or its other end. */
function borders(x: Tensor, axis: number, before: number, after: number, mode: string): Tensor {
  const extent = x.shape[axis];
  if (mode !== 'edge' && Math.max(before, after) > extent - Number(mode === 'reflect')) {
    throw new InputError(`expected pads smaller than ${extent} for mode ${mode}, got ${before} and ${after}`);
  }
  const edge = (place: number, count: number): Tensor =>
    repeatedTo(sectionOf(x, axis, place, 1, 1), x.shape.with(axis, count));
  const parts: Readonly<Record<string, () => readonly [Tensor, Tensor]>> = {
    reflect: () => [sectionOf(x, axis, before, before, -1), sectionOf(x, axis, extent - 2, after, -1)],
    edge: () => [edge(0, before), edge(extent - 1, after)],
    wrap: () => [sectionOf(x, axis, extent - before, before, 1), sectionOf(x, axis, 0, after, 1)],
  };
  const [first, last] = parts[mode]();
  return tf.concat(
    [first, x, last].filter(({ size }) => size > 0),
    axis,
  );
}

const pad: Operator = (call) => {
  const x = input(call, 0);
  const rank = x.shape.length;
  const mode = textOf(call, 'mode', 'constant');
  expectAttribute('mode', mode, ['constant', 'reflect', 'edge', 'wrap']);
  const given = listOf(call, 'pads') ?? numbersOf(input(call, 1));
  const axes = (numbersAt(call, 3) ?? x.shape.map((_, axis) => axis)).map((axis) => axisOf(axis, rank));
  const pads = x.shape.map((_, axis): [number, number] => {
    const at = axes.indexOf(axis);
    return at < 0 ? [0, 0] : [given[at], given[at + axes.length]];
  });
  checkShape(x.shape.map((extent, axis) => extent + pads[axis][0] + pads[axis][1]));
  const cropped = pads.reduce((value, [before, after], axis) => {
    if (before >= 0 && after >= 0) return value;
    const start = Math.max(0, -before);
    return section(value, axis, start, value.shape[axis] - start - Math.max(0, -after), 1);
  }, x);
  const grown = pads.map(([before, after]): [number, number] => [Math.max(0, before), Math.max(0, after)]);
  const stored = grown.map((_, axis) => storedAxis(cropped, axis));
  if (grown.flat().every((count) => count === 0)) return cropped;
  if (mode === 'constant') {
    const value = numbersAt(call, 2)?.[0] ?? numberOf(call, 'value', 0);
    const ordered = stored.map((_, axis) => grown[stored.indexOf(axis)]);
    return likeStored(cropped, tf.pad(storedTensor(cropped), ordered, value));
  }
  const bordered = grown.reduce(
    (tensor, [before, after], axis) =>
      before + after === 0 ? tensor : borders(tensor, stored[axis], before, after, mode),
    storedTensor(cropped),
  );
  return likeStored(cropped, bordered);
};

/** Blocks of channels become blocks of places. */
const depthToSpace: Operator = (call) => {
  const x = tensorOf(input(call, 0));
  const size = numberOf(call, 'blocksize', 1);
  const [batch, channels, height, width] = x.shape;
  const depth = channels / size ** 2;
  const columnsFirst = textOf(call, 'mode', 'DCR') === 'CRD';
  const apart = columnsFirst ? [batch, depth, size, size, height, width] : [batch, size, size, depth, height, width];
  const order = columnsFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2];
  return onBackend(tf.reshape(tf.transpose(tf.reshape(x, apart), order), [batch, depth, height * size, width * size]));
};

const spaceToDepth: Operator = (call) => {
  const x = tensorOf(input(call, 0));
  const size = numberOf(call, 'blocksize', 1);
  const [batch, channels, height, width] = x.shape;
  const apart = [batch, channels, height / size, size, width / size, size];
  const shape = [batch, channels * size ** 2, height / size, width / size];
  return onBackend(tf.reshape(tf.transpose(tf.reshape(x, apart), [0, 3, 5, 1, 2, 4]), shape));
};

/** The upper or lower triangle of matrices; the rest is 0. */
const trilu: Operator = (call) => {
  const x = input(call, 0);
  const shift = numbersAt(call, 1)?.[0] ?? 0;
  const upper = flagOf(call, 'upper', true);
  const [rows, columns] = x.shape.slice(-2);
  const kept = (i: number): boolean => {
    const distance = (i % columns) - (Math.floor(i / columns) % rows);
    return upper ? distance >= shift : distance <= shift;
  };
  if (x.numbers !== null) {
    return inMemory(
      Float64Array.from(x.numbers, (value, i) => (kept(i) ? value : 0)),
      x.shape,
      x.type,
    );
  }
  const mask = Float32Array.from({ length: rows * columns }, (_, i) => Number(kept(i)));
  return onBackend(tf.mul(tensorOf(x), tf.tensor2d(mask, [rows, columns])));
};

export const selectionOperators = {
  Concat: concat,
  Slice: slice,
  Split: split,
  TopK: topK,
  Tile: tile,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
} as const satisfies Readonly<Record<string, Operator>>;
