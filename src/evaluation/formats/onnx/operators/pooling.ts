// Pooling over windows and over whole images, on images with channels last.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { type Call, flagOf, input, listOf, type Operator } from '../call.ts';
import { channelsLastOf, type Value, withChannelsLast } from '../values.ts';
import { padded, type Windows, windowsOf } from '../windows.ts';
import { asGiven, asImages, atBoth } from './convolution.ts';

/** Lower than any pixel, so that no padding is a maximum. */
const LOWEST = -3.4e38;

interface Pooling {
  readonly x: Value;
  readonly images: Tensor4D;
  readonly kernel: [number, number];
  readonly windows: Windows;
  readonly dimensions: 1 | 2;
}

function poolingOf(call: Call): Pooling {
  const x = input(call, 0);
  const dimensions = (x.shape.length - 2) as 1 | 2;
  const extents = listOf(call, 'kernel_shape') ?? [];
  if (dimensions !== 1 && dimensions !== 2) {
    throw new InputError(`expected a pooling of one or two dimensions, got one of ${dimensions}`);
  }
  const windows = windowsOf(call, x.shape.slice(2), extents);
  const images = asImages(channelsLastOf(x));
  return { x, images, kernel: atBoth(extents, dimensions, 1) as [number, number], windows, dimensions };
}

const maxPool: Operator = (call) => {
  if (listOf(call, 'dilations')?.some((dilation) => dilation !== 1)) {
    throw new InputError('expected windows without dilation, which Equipoise does not pool over');
  }
  const { x, images, kernel, windows, dimensions } = poolingOf(call);
  const bordered = padded(images, atBoth(windows.pads, dimensions, [0, 0]), LOWEST);
  const strides = atBoth(windows.strides, dimensions, 1) as [number, number];
  return withChannelsLast(asGiven(tf.maxPool(bordered, kernel, strides, 'valid'), x.shape.length));
};

/** How many places of each window along one axis are counted. */
function counted(extent: number, size: number, stride: number, from: number, to: number): number[] {
  const windows = Math.floor((extent - size) / stride) + 1;
  return Array.from({ length: windows }, (_, i) => {
    const start = i * stride;
    return Math.max(0, Math.min(start + size, to) - Math.max(start, from));
  });
}

/** The mean of each window over its places in the image, and in the padding where count_include_pad says so. */
const averagePool: Operator = (call) => {
  if (listOf(call, 'dilations')?.some((dilation) => dilation !== 1)) {
    throw new InputError('expected windows without dilation, which Equipoise does not pool over');
  }
  const { x, images, kernel, windows, dimensions } = poolingOf(call);
  const pads = atBoth(windows.pads, dimensions, [0, 0]);
  const beyond = atBoth(windows.beyond, dimensions, 0);
  const strides = atBoth(windows.strides, dimensions, 1) as [number, number];
  const bordered = padded(images, pads, 0);
  const means = tf.avgPool(bordered, kernel, strides, 'valid');
  const withPads = flagOf(call, 'count_include_pad');
  const [rows, columns] = [0, 1].map((axis) => {
    const extent = bordered.shape[axis + 1];
    const [before, after] = pads[axis];
    const from = withPads ? 0 : before;
    const to = extent - (withPads ? beyond[axis] : after);
    return counted(extent, kernel[axis], strides[axis], from, to);
  });
  const whole = kernel[0] * kernel[1];
  const shares = rows.flatMap((row) => columns.map((column) => whole / Math.max(1, row * column)));
  const y = shares.every((share) => share === 1)
    ? means
    : tf.mul(means, tf.tensor4d(shares, [1, rows.length, columns.length, 1]));
  return withChannelsLast(asGiven(y as Tensor4D, x.shape.length));
};

/** A reduction over all places of an image, which keeps the axes. */
const global =
  (reduce: typeof tf.mean | typeof tf.max): Operator =>
  (call) => {
    const images = channelsLastOf(input(call, 0));
    const axes = Array.from({ length: images.rank - 2 }, (_, i) => i + 1);
    return withChannelsLast(reduce(images, axes, true));
  };

export const poolingOperators = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: global(tf.mean),
  GlobalMaxPool: global(tf.max),
} as const satisfies Readonly<Record<string, Operator>>;
