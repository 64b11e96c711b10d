// The geometry of convolutions and poolings, read from the attributes of TensorFlow.js.
import { backend_util } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { Windows } from '../plain/windows.ts';

/** The windows of what tfjs says of a convolution or a pooling. */
const windowsOf = (info: backend_util.Conv2DInfo): Windows => ({
  batch: info.batchSize,
  rows: {
    input: info.inHeight,
    output: info.outHeight,
    size: info.filterHeight,
    stride: info.strideHeight,
    dilation: info.dilationHeight,
    padding: info.padInfo.top,
  },
  columns: {
    input: info.inWidth,
    output: info.outWidth,
    size: info.filterWidth,
    stride: info.strideWidth,
    dilation: info.dilationWidth,
    padding: info.padInfo.left,
  },
});

interface Padding {
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

export interface ConvolutionAttributes extends Padding {
  readonly strides: [number, number] | number;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  /** tfjs-layers gives null for none. */
  readonly dilations?: [number, number] | number | null;
}

export interface PoolAttributes extends Padding {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
}

/** A tensor's windows, its channels, and what comes of them. */
export interface Problem {
  readonly windows: Windows;
  readonly inputs: number;
  readonly outputs: number;
  readonly shape: number[];
}

type Shape4D = [number, number, number, number];

const problem = (info: backend_util.Conv2DInfo): Problem | null =>
  sizeOf(info.outShape) === 0 || sizeOf(info.inShape) === 0
    ? null
    : { windows: windowsOf(info), inputs: info.inChannels, outputs: info.outChannels, shape: info.outShape };

/** One of tfjs's convolutions, depthwise or not; null if it is not ours: channels first, or empty. */
export function convolutionOf(
  inputShape: readonly number[],
  filterShape: readonly number[],
  { dataFormat, strides, dilations, pad, dimRoundingMode }: ConvolutionAttributes,
  depthwise = false,
): Problem | null {
  if ((dataFormat ?? 'NHWC') !== 'NHWC') return null;
  const info = backend_util.computeConv2DInfo(
    inputShape as Shape4D,
    filterShape as Shape4D,
    strides,
    dilations ?? 1,
    pad,
    dimRoundingMode,
    depthwise,
  );
  return filterShape[2] === info.inChannels ? problem(info) : null;
}

/** One of tfjs's poolings; null if it is empty. */
export function poolingOf(
  inputShape: readonly number[],
  { filterSize, strides, pad, dimRoundingMode }: PoolAttributes,
): Problem | null {
  const shape = inputShape as Shape4D;
  return problem(backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode));
}
