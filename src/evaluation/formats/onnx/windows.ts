// Where the windows of a convolution or a pooling lie: strides and paddings as ONNX has them.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../core/errors.ts';
import { type Call, flagOf, listOf, textOf } from './call.ts';
import { checkShape } from './values.ts';

export type Pad = readonly [before: number, after: number];

export interface Windows {
  readonly strides: readonly number[];
  /** Padding of each spatial axis as the windows need it, with what ceil_mode adds. */
  readonly pads: readonly Pad[];
  /** What ceil_mode adds at the end, which is part of `pads`. */
  readonly beyond: readonly number[];
}

/**
 * @param extents of the images, without batch and channels
 * @param kernel extents of a window, without dilation
 */
export function windowsOf(call: Call, extents: readonly number[], kernel: readonly number[]): Windows {
  const rank = extents.length;
  const strides = listOf(call, 'strides') ?? new Array<number>(rank).fill(1);
  const dilations = listOf(call, 'dilations') ?? new Array<number>(rank).fill(1);
  const given = listOf(call, 'pads') ?? new Array<number>(2 * rank).fill(0);
  for (const [name, list, length, least] of [
    ['kernel_shape', kernel, rank, 1],
    ['strides', strides, rank, 1],
    ['dilations', dilations, rank, 1],
    ['pads', given, 2 * rank, 0],
  ] as const) {
    if (list.length !== length || list.some((value) => !(value >= least))) {
      throw new InputError(`expected ${name} to be ${length} numbers of at least ${least}, got [${list.join(', ')}]`);
    }
  }
  const automatic = textOf(call, 'auto_pad', 'NOTSET');
  const reach = kernel.map((extent, i) => (extent - 1) * dilations[i] + 1);
  const declared = extents.map((extent, i): Pad => {
    if (automatic === 'NOTSET') return [given[i], given[i + rank]];
    if (automatic === 'VALID') return [0, 0];
    const total = Math.max(0, (Math.ceil(extent / strides[i]) - 1) * strides[i] + reach[i] - extent);
    const less = Math.floor(total / 2);
    return automatic === 'SAME_UPPER' ? [less, total - less] : [total - less, less];
  });
  const beyond = declared.map(([before, after], i) => {
    if (!flagOf(call, 'ceil_mode')) return 0;
    const room = extents[i] + before + after - reach[i];
    const steps = Math.ceil(room / strides[i]);
    // A window that would begin in the padding behind the image is left out.
    const kept = steps * strides[i] >= extents[i] + before ? steps - 1 : steps;
    return Math.max(0, kept * strides[i] - room);
  });
  return { strides, pads: declared.map(([before, after], i): Pad => [before, after + beyond[i]]), beyond };
}

/** Images [batch, height, width, channels] with a border of a value. */
export function padded(images: Tensor4D, [vertical, horizontal]: readonly Pad[], value: number): Tensor4D {
  if ([...vertical, ...horizontal].every((pad) => pad === 0)) return images;
  const [batch, height, width, channels] = images.shape;
  checkShape([batch, height + vertical[0] + vertical[1], width + horizontal[0] + horizontal[1], channels]);
  return tf.pad(images, [[0, 0], [...vertical], [...horizontal], [0, 0]], value);
}
