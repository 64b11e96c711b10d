// Operators that pick, join and repeat parts of tensors. Steps and repetitions are built of slices and reshapes, whose
// gradients are exact for every rank.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { sizeOf } from '../../../../core/structure.ts';
import { sectionOf } from '../axes.ts';
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
  return inMemory(result, shape, values[0]?.type ?? 'int');
}

/** `count` places along an axis from `start` on, `step` apart. */
function section(x: Value, axis: number, start: number, count: number, step: number): Value {
  const shape = x.shape.with(axis, count);
  if (x.numbers !== null) {
    const strides = stridesOf(x.shape);
    return inMemory(
      viewed(x.numbers, shape, strides.with(axis, strides[axis] * step), start * strides[axis]),
      shape,
      x.type,
    );
  }
  if (start === 0 && step === 1 && count === x.shape[axis]) return x;
  const along = storedAxis(x, axis);
  return likeStored(x, sectionOf(storedTensor(x), along, start, count, step));
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

/** Places along an axis, in any order; one place alone takes the axis away. */
const gather: Operator = (call) => {
  const [x, indices] = [input(call, 0), input(call, 1)];
  const axis = axisOf(numberOf(call, 'axis', 0), x.shape.length);
  const extent = x.shape[axis];
  const places = numbersOf(indices).map((place) => (place < 0 ? place + extent : place));
  const beyond = places.find((place) => !(Number.isInteger(place) && place >= 0 && place < extent));
  if (beyond !== undefined) throw new InputError(`expected places 0 to ${extent - 1}, got ${beyond}`);
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  checkShape(shape);
  if (x.numbers !== null) {
    const inner = sizeOf(x.shape.slice(axis + 1));
    const outer = sizeOf(x.shape.slice(0, axis));
    const result: number[] = [];
    for (let row = 0; row < outer; row++) {
      for (const place of places) {
        for (let i = 0; i < inner; i++) result.push(x.numbers[(row * extent + place) * inner + i]);
      }
    }
    return inMemory(result, shape, x.type);
  }
  if (places.length === 1) return onBackend(tf.reshape(tensorOf(section(x, axis, places[0], 1, 1)), shape));
  return onBackend(tf.reshape(tf.gather(tensorOf(x), tf.tensor1d(places, 'int32'), axis), shape));
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

/** Repeats whole axes, each as an axis of its own before it. */
const tile: Operator = (call) => {
  const x = input(call, 0);
  const repeats = numbersOf(input(call, 1));
  const shape = checkShape(x.shape.map((extent, axis) => extent * repeats[axis]));
  const apart = x.shape.flatMap((extent, axis) => [repeats[axis], extent]);
  if (x.numbers !== null) {
    const strides = stridesOf(x.shape).flatMap((stride) => [0, stride]);
    return inMemory(viewed(x.numbers, apart, strides, 0), shape, x.type);
  }
  const single = x.shape.flatMap((extent) => [1, extent]);
  return onBackend(tf.reshape(tf.broadcastTo(tf.reshape(tensorOf(x), single), apart), [...shape]));
};

/** For each place of a padded axis the place it repeats: a mirror without its edge, or the edge. */
function borderPlaces(extent: number, before: number, after: number, mode: string): number[] {
  return Array.from({ length: before + extent + after }, (_, i) => {
    const place = i - before;
    if (mode === 'edge') return Math.min(Math.max(place, 0), extent - 1);
    if (mode === 'wrap') return ((place % extent) + extent) % extent;
    const period = Math.max(1, 2 * (extent - 1));
    const around = ((place % period) + period) % period;
    return around < extent ? around : period - around;
  });
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
  const bordered = grown.reduce((tensor, [before, after], axis) => {
    if (before === 0 && after === 0) return tensor;
    const places = borderPlaces(cropped.shape[axis], before, after, mode);
    return tf.gather(tensor, tf.tensor1d(places, 'int32'), stored[axis]);
  }, storedTensor(cropped));
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
  Gather: gather,
  Split: split,
  Tile: tile,
  Pad: pad,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
} as const satisfies Readonly<Record<string, Operator>>;
