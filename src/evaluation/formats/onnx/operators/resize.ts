// Resizing as a product with one matrix for each axis, whose row j holds the weights of the old places in new place j. So every
// mode has its exact gradient, the product with the transposed matrix.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { alongAxis } from '../axes.ts';
import {
  type Call,
  expectAttribute,
  flagOf,
  input,
  listOf,
  numberOf,
  numbersAt,
  type Operator,
  textOf,
} from '../call.ts';
import { axisOf, checkShape, likeStored, storedAxis, storedTensor, type Value } from '../values.ts';

interface Axis {
  readonly from: number;
  readonly to: number;
  readonly scale: number;
}

/** To float32, in which other runtimes compute places: there a place may be a tie, or miss one, that float64 does not. */
const f = Math.fround;

const halfPixel = (place: number, { scale }: Axis): number => f(f((place + 0.5) / scale) - 0.5);

/** The place in the old axis that a new place stands for, by coordinate_transformation_mode. */
const COORDINATES: Readonly<Record<string, (place: number, axis: Axis) => number>> = {
  half_pixel: halfPixel,
  half_pixel_symmetric: (place, { from, to, scale }) => {
    const adjusted = f(to / f(from * scale));
    const offset = f((from / 2) * f(1 - adjusted));
    return f(f(offset + f((place + 0.5) / scale)) - 0.5);
  },
  pytorch_half_pixel: (place, axis) => (axis.to > 1 ? halfPixel(place, axis) : 0),
  align_corners: (place, { from, to }) => (to > 1 ? f((place * (from - 1)) / (to - 1)) : 0),
  asymmetric: (place, { scale }) => f(place / scale),
};

const ROUNDING: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

interface Method {
  /** How far from a place its neighbours have weight, in old places. */
  readonly reach: number;
  readonly weight: (distance: number) => number;
}

const linear: Method = { reach: 1, weight: (distance) => Math.max(0, 1 - Math.abs(distance)) };

/** Keys's cubic convolution. */
const cubic = (a: number): Method => ({
  reach: 2,
  weight: (distance) => {
    const x = Math.abs(distance);
    if (x <= 1) return (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1;
    return x < 2 ? a * x ** 3 - 5 * a * x ** 2 + 8 * a * x - 4 * a : 0;
  },
});

/** The matrix [from, to] of one axis, row-major. */
function matrixOf(axis: Axis, call: Call): Float32Array {
  const mode = textOf(call, 'mode', 'nearest');
  const isUpsample = call.node.op === 'Upsample';
  const coordinates = textOf(call, 'coordinate_transformation_mode', isUpsample ? 'asymmetric' : 'half_pixel');
  const rounding = textOf(call, 'nearest_mode', isUpsample ? 'floor' : 'round_prefer_floor');
  expectAttribute('mode', mode, ['nearest', 'linear', 'cubic']);
  expectAttribute('coordinate_transformation_mode', coordinates, Object.keys(COORDINATES));
  expectAttribute('nearest_mode', rounding, Object.keys(ROUNDING));
  const { from, to, scale } = axis;
  checkShape([from, to]);
  const matrix = new Float32Array(from * to);
  const clamped = (place: number): number => Math.min(Math.max(place, 0), from - 1);
  const method = mode === 'cubic' ? cubic(numberOf(call, 'cubic_coeff_a', -0.75)) : linear;
  const withinOnly = flagOf(call, 'exclude_outside');
  // A filter against aliasing is as much wider as the image gets smaller.
  const wider = flagOf(call, 'antialias') && scale < 1 ? 1 / scale : 1;
  for (let j = 0; j < to; j++) {
    const place = COORDINATES[coordinates](j, axis);
    if (mode === 'nearest') {
      matrix[clamped(ROUNDING[rounding](place)) * to + j] = 1;
      continue;
    }
    const reach = method.reach * wider;
    const places: (readonly [number, number])[] = [];
    for (let i = Math.floor(place - reach) + 1; i <= Math.ceil(place + reach) - 1; i++) {
      if (withinOnly && (i < 0 || i >= from)) continue;
      places.push([clamped(i), method.weight((i - place) / wider)]);
    }
    const sum = places.reduce((total, [, weight]) => total + weight, 0);
    for (const [i, weight] of places) matrix[i * to + j] += weight / sum;
  }
  return matrix;
}

/** The extents that are asked for, of all axes, each with its scale. */
function axesOf(call: Call, x: Value): readonly Axis[] {
  const rank = x.shape.length;
  const isUpsample = call.node.op === 'Upsample';
  const nonempty = (list: readonly number[] | undefined): readonly number[] | undefined =>
    list === undefined || list.length === 0 ? undefined : list;
  const scales = nonempty(numbersAt(call, isUpsample ? 1 : 2) ?? listOf(call, 'scales'));
  const sizes = isUpsample ? undefined : nonempty(numbersAt(call, 3));
  const axes = (listOf(call, 'axes') ?? x.shape.map((_, axis) => axis)).map((axis) => axisOf(axis, rank));
  const given = sizes ?? scales;
  if (given === undefined || given.length !== axes.length) {
    throw new InputError(`expected ${axes.length} sizes or scales, got [${given?.join(', ') ?? ''}]`);
  }
  const policy = textOf(call, 'keep_aspect_ratio_policy', 'stretch');
  expectAttribute('keep_aspect_ratio_policy', policy, ['stretch']);
  return x.shape.map((from, axis) => {
    const at = axes.indexOf(axis);
    if (at < 0) return { from, to: from, scale: 1 };
    if (sizes !== undefined) return { from, to: sizes[at], scale: f(sizes[at] / from) };
    return { from, to: Math.floor(f(from * given[at])), scale: given[at] };
  });
}

const resize: Operator = (call) => {
  const x = input(call, 0);
  const axes = axesOf(call, x);
  checkShape(axes.map(({ to }) => to));
  // ONNX Runtime and PyTorch copy an image that keeps its size, also where the scale is 1.1 and was rounded away.
  if (axes.every(({ from, to }) => from === to)) return x;
  const stored = axes.reduce((tensor, axis, i) => {
    if (axis.from === axis.to && axis.scale === 1) return tensor;
    const matrix = tf.tensor2d(matrixOf(axis, call), [axis.from, axis.to]);
    return alongAxis(tensor, storedAxis(x, i), matrix);
  }, storedTensor(x));
  return likeStored(x, stored);
};

export const resizeOperators = {
  Resize: resize,
  Upsample: resize,
} as const satisfies Readonly<Record<string, Operator>>;
