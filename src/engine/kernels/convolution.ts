import type { backend_util, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { type DenseConvolution, denseConvolve } from '../dense.ts';
import { denseFilterGradient } from '../dense-gradient.ts';
import { engineKernel, reference } from './kernel.ts';
import { activated } from './unary.ts';

interface Attributes {
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dataFormat?: 'NHWC' | 'NCHW';
  readonly dilations?: [number, number] | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** The windows of what tfjs says of a convolution or a pooling. */
export const windowsOf = (info: backend_util.Conv2DInfo) => ({
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

/** One of tfjs's convolutions and its output's shape; null where it is not ours: channels first, or empty. */
function convolution(
  inputShape: readonly number[],
  filterShape: readonly number[],
  { dataFormat = 'NHWC', strides, dilations = 1, pad, dimRoundingMode }: Attributes,
): { convolution: DenseConvolution; shape: number[] } | null {
  const info = tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    strides,
    dilations,
    pad,
    dimRoundingMode,
    false,
    dataFormat === 'NCHW' ? 'channelsFirst' : 'channelsLast',
  );
  const empty = sizeOf(info.outShape) === 0 || sizeOf(info.inShape) === 0;
  if (dataFormat === 'NCHW' || empty || filterShape[2] !== info.inChannels) return null;
  const { inChannels: inputs, outChannels: outputs, outShape } = info;
  return { convolution: { ...windowsOf(info), inputs, outputs }, shape: outShape };
}

const conv2D = engineKernel<{ x: TensorInfo; filter: TensorInfo }, Attributes>('Conv2D', (call) => {
  const { inputs, attrs, backend } = call;
  const { x, filter } = inputs;
  const ours = convolution(x.shape, filter.shape, attrs);
  if (!ours) return reference('Conv2D', call);
  const [from, weights] = [backend.pointer(x), backend.pointer(filter)];
  return backend.make(ours.shape, (y) => denseConvolve(backend, ours.convolution, 'forward', from, weights, y));
});

interface FusedInputs {
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias?: TensorInfo;
  readonly preluActivationWeights?: TensorInfo;
}

interface FusedAttributes extends Attributes {
  readonly activation?: string | null;
  readonly leakyreluAlpha?: number;
}

const fusedConv2D = engineKernel<FusedInputs, FusedAttributes>('FusedConv2D', (call) => {
  const { inputs, attrs, backend } = call;
  const { x, filter, bias } = inputs;
  const ours = convolution(x.shape, filter.shape, attrs);
  const activate = activated(attrs.activation ?? 'linear', attrs.leakyreluAlpha);
  if (!ours || !activate || (bias && sizeOf(bias.shape) !== ours.convolution.outputs)) {
    return reference('FusedConv2D', call);
  }
  const [from, weights] = [backend.pointer(x), backend.pointer(filter)];
  const epilogue = { bias: bias && backend.pointer(bias), relu: attrs.activation === 'relu' };
  return backend.make(ours.shape, (y) => {
    denseConvolve(backend, ours.convolution, 'forward', from, weights, y, epilogue);
    activate(backend, y, sizeOf(ours.shape));
  });
});

const conv2DBackpropInput = engineKernel<
  { dy: TensorInfo; filter: TensorInfo },
  Attributes & { readonly inputShape: readonly number[] }
>('Conv2DBackpropInput', (call) => {
  const { inputs, attrs, backend } = call;
  const { dy, filter } = inputs;
  const ours = convolution(attrs.inputShape, filter.shape, attrs);
  if (!ours) return reference('Conv2DBackpropInput', call);
  const [from, weights] = [backend.pointer(dy), backend.pointer(filter)];
  return backend.make(attrs.inputShape, (y) =>
    denseConvolve(backend, ours.convolution, 'transposed', from, weights, y),
  );
});

const conv2DBackpropFilter = engineKernel<
  { x: TensorInfo; dy: TensorInfo },
  Attributes & { readonly filterShape: readonly number[] }
>('Conv2DBackpropFilter', (call) => {
  const { inputs, attrs, backend } = call;
  const ours = convolution(inputs.x.shape, attrs.filterShape, attrs);
  if (!ours) return reference('Conv2DBackpropFilter', call);
  const [x, dy] = [backend.pointer(inputs.x), backend.pointer(inputs.dy)];
  return backend.make(attrs.filterShape, (y) => denseFilterGradient(backend, ours.convolution, x, dy, y));
});

export const convolutionKernels = [conv2D, fusedConv2D, conv2DBackpropInput, conv2DBackpropFilter];
