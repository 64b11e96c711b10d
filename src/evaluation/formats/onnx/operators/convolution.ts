// Convolutions of one and two dimensions, by TensorFlow.js's ops on images with channels last.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { partsOf, sectionOf } from '../axes.ts';
import { type Call, input, listOf, numberOf, type Operator } from '../call.ts';
import { channelsLastOf, checkShape, tensorOf, type Value, withChannelsLast } from '../values.ts';
import { padded, windowsOf } from '../windows.ts';

/** A tensor [batch, length, channels] with a height of 1, as two-dimensional ops take it. */
export const asImages = (x: Tensor): Tensor4D => {
  const [batch, length, channels]: readonly number[] = x.shape;
  return (x.rank === 3 ? tf.reshape(x, [batch, 1, length, channels]) : x) as Tensor4D;
};

/** Images in their original rank. */
export const asGiven = (images: Tensor4D, rank: number): Tensor =>
  rank === 3 ? tf.reshape(images, [images.shape[0], images.shape[2], images.shape[3]]) : images;

function spatialRank(x: Value, what: string): 1 | 2 {
  const rank = x.shape.length - 2;
  if (rank === 1 || rank === 2) return rank;
  throw new InputError(`expected a ${what} of one or two dimensions, got one of ${rank}`);
}

/** Zeros between the weights, which dilate them: [height, width, …]. */
function dilated(kernel: Tensor, dilations: readonly number[]): Tensor {
  return dilations.reduce((weights, dilation, axis) => {
    if (dilation === 1 || weights.shape[axis] === 1) return weights;
    const extents = [...weights.shape];
    const apart = [...extents.slice(0, axis + 1), 1, ...extents.slice(axis + 1)];
    const spread = tf.pad(
      tf.reshape(weights, apart),
      apart.map((_, i) => (i === axis + 1 ? [0, dilation - 1] : [0, 0])),
    );
    const whole = extents.with(axis, extents[axis] * dilation);
    return tf.slice(
      tf.reshape(spread, whole),
      whole.map(() => 0),
      whole.with(axis, (extents[axis] - 1) * dilation + 1),
    );
  }, kernel);
}

const convolution: Operator = (call) => {
  const [x, weights, bias] = [input(call, 0), input(call, 1), call.inputs[2]];
  const dimensions = spatialRank(x, 'convolution');
  const groups = numberOf(call, 'group', 1);
  const [outputs, inputs, ...extents] = weights.shape;
  const channels = x.shape[1];
  if (groups * inputs !== channels || outputs % groups !== 0) {
    throw new InputError(
      `expected weights of ${channels} input channels in ${groups} groups, got [${weights.shape.join(', ')}]`,
    );
  }
  const dilations = atBoth(listOf(call, 'dilations'), dimensions, 1);
  const { strides, pads } = windowsOf(call, x.shape.slice(2), extents);
  const depthwise = groups === channels && inputs === 1;
  const kernel = call.once(weights, `convolution ${dilations} ${depthwise}`, () => {
    const images = tf.reshape(tensorOf(weights), [outputs, inputs, ...atBoth(extents, dimensions, 1)]);
    const ours = depthwise
      ? tf.transpose(tf.reshape(images, [channels, outputs / channels, ...images.shape.slice(2)]), [2, 3, 0, 1])
      : tf.transpose(images, [2, 3, 1, 0]);
    return dilated(ours, dilations);
  }) as Tensor4D;
  const images = padded(asImages(channelsLastOf(x)), atBoth(pads, dimensions, [0, 0]), 0);
  const steps = atBoth(strides, dimensions, 1) as [number, number];
  const y = depthwise ? depthwiseConvolution(images, kernel, steps) : groupedConvolution(images, kernel, steps, groups);
  const shifted = bias === undefined ? y : (tf.add(y, tensorOf(bias)) as Tensor4D);
  return withChannelsLast(asGiven(shifted, x.shape.length));
};

/** Values of each spatial axis as those of height and width. */
export const atBoth = <T>(values: readonly T[] | undefined, dimensions: 1 | 2, neutral: T): T[] => {
  const given = values === undefined || values.length === 0 ? new Array<T>(dimensions).fill(neutral) : [...values];
  return dimensions === 1 ? [neutral, ...given] : given;
};

/** TensorFlow.js takes one stride for both axes; a larger one is kept to, and rows or columns left out of the result. */
function depthwiseConvolution(images: Tensor4D, kernel: Tensor4D, [down, across]: [number, number]): Tensor4D {
  if (down === across) return tf.depthwiseConv2d(images, kernel, down, 'valid');
  const y = tf.depthwiseConv2d(images, kernel, 1, 'valid');
  const rows = sectionOf(y, 1, 0, Math.ceil(y.shape[1] / down), down);
  return sectionOf(rows, 2, 0, Math.ceil(y.shape[2] / across), across) as Tensor4D;
}

function groupedConvolution(images: Tensor4D, kernel: Tensor4D, steps: [number, number], groups: number): Tensor4D {
  const kernels = partsOf(kernel, groups, 3);
  const parts = partsOf(images, groups, 3);
  return joined(parts.map((part, i) => tf.conv2d(part as Tensor4D, kernels[i] as Tensor4D, steps, 'valid')));
}

/** Groups of channels side by side. */
const joined = (parts: readonly Tensor4D[]): Tensor4D => (parts.length === 1 ? parts[0] : tf.concat([...parts], 3));

/** A transposed convolution: the gradient of a convolution with respect to its input, as a function of its own. */
const transposedConvolution: Operator = (call) => {
  const [x, weights, bias] = [input(call, 0), input(call, 1), call.inputs[2]];
  const dimensions = spatialRank(x, 'transposed convolution');
  const groups = numberOf(call, 'group', 1);
  const [inputs, perGroup, ...extents] = weights.shape;
  const dilations = atBoth(listOf(call, 'dilations'), dimensions, 1);
  const strides = atBoth(listOf(call, 'strides'), dimensions, 1);
  const kernel = call.once(weights, `transposed ${dilations} ${groups}`, () => {
    const images = tf.reshape(tensorOf(weights), [inputs, perGroup, ...atBoth(extents, dimensions, 1)]);
    return dilated(tf.transpose(images, [2, 3, 1, 0]), dilations);
  }) as Tensor4D;
  const images = asImages(channelsLastOf(x));
  const [, height, width] = images.shape;
  const full = [height, width].map((extent, i) => (extent - 1) * strides[i] + kernel.shape[i]);
  const { before, sizes } = transposedExtents(call, full, [height, width], strides, dimensions);
  const parts = partsOf(images, groups, 3).map((part, i) =>
    tf.conv2dTranspose(
      part as Tensor4D,
      tf.slice(kernel, [0, 0, 0, (i * inputs) / groups], [-1, -1, -1, inputs / groups]),
      checkShape([images.shape[0], full[0], full[1], perGroup]) as Tensor4D['shape'],
      strides as [number, number],
      'valid',
    ),
  );
  const whole = joined(parts as Tensor4D[]);
  // An output padding asks for places behind the last window.
  const behind = sizes.map((size, i) => Math.max(0, before[i] + size - full[i]));
  const grown = padded(
    whole,
    [
      [0, behind[0]],
      [0, behind[1]],
    ],
    0,
  );
  const cut = tf.slice(grown, [0, before[0], before[1], 0], [-1, sizes[0], sizes[1], -1]);
  const shifted = bias === undefined ? cut : (tf.add(cut, tensorOf(bias)) as Tensor4D);
  return withChannelsLast(asGiven(shifted, x.shape.length));
};

/** What is left out before the first place, and the size of the result, along height and width. */
function transposedExtents(
  call: Call,
  full: readonly number[],
  extents: readonly number[],
  strides: readonly number[],
  dimensions: 1 | 2,
): { before: readonly number[]; sizes: readonly number[] } {
  const more = atBoth(listOf(call, 'output_padding'), dimensions, 0);
  const pads = listOf(call, 'pads') ?? new Array<number>(2 * dimensions).fill(0);
  const automatic = call.node.attributes.get('auto_pad') ?? 'NOTSET';
  const wanted = listOf(call, 'output_shape')?.slice(-dimensions);
  const same = automatic === 'SAME_UPPER' || automatic === 'SAME_LOWER';
  if (wanted === undefined && !same) {
    const before = atBoth(pads.slice(0, dimensions), dimensions, 0);
    const after = atBoth(pads.slice(dimensions), dimensions, 0);
    return { before, sizes: full.map((size, i) => size + more[i] - before[i] - after[i]) };
  }
  const sizes = wanted === undefined ? extents.map((extent, i) => extent * strides[i]) : atBoth(wanted, dimensions, 1);
  const total = sizes.map((size, i) => Math.max(0, full[i] + more[i] - size));
  const before = total.map((pad) => (automatic === 'SAME_UPPER' ? Math.floor(pad / 2) : Math.ceil(pad / 2)));
  return { before, sizes };
}

export const convolutionOperators = {
  Conv: convolution,
  ConvTranspose: transposedConvolution,
} as const satisfies Readonly<Record<string, Operator>>;
