// The kernels of depthwise convolutions, and their gradients.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { type DepthwiseConvolution, depthwiseConvolve, depthwiseFilterGradient } from '../plain/depthwise.ts';
import { engineKernel, reference } from './kernel.ts';
import { activated } from './unary.ts';
import { type ConvolutionAttributes, convolutionOf } from './windows.ts';

/** A depthwise convolution and its output's shape; null if it is not ours: several outputs a channel, or as for others. */
function depthwiseOf(
  inputShape: readonly number[],
  filterShape: readonly number[],
  attrs: ConvolutionAttributes,
): (DepthwiseConvolution & { readonly shape: number[] }) | null {
  const problem = filterShape[3] === 1 ? convolutionOf(inputShape, filterShape, attrs, true) : null;
  return problem && { ...problem, channels: problem.inputs };
}

interface Inputs {
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias?: TensorInfo;
}

interface FusedAttributes extends ConvolutionAttributes {
  readonly activation?: string | null;
  readonly leakyreluAlpha?: number;
}

const forward = (['DepthwiseConv2dNative', 'FusedDepthwiseConv2D'] as const).map((name) =>
  engineKernel<Inputs, FusedAttributes>(name, (call) => {
    const { inputs, attrs, backend } = call;
    const { x, filter, bias } = inputs;
    const ours = depthwiseOf(x.shape, filter.shape, attrs);
    const activate = activated(attrs.activation ?? 'linear', attrs.leakyreluAlpha);
    if (!ours || !activate || (bias && sizeOf(bias.shape) !== ours.channels)) return reference(name, call);
    const [from, weights] = [backend.pointer(x), backend.pointer(filter)];
    const epilogue = { bias: bias && backend.pointer(bias), relu: attrs.activation === 'relu' };
    return backend.make(ours.shape, (y) => {
      depthwiseConvolve(backend, ours, 'forward', from, weights, y, epilogue);
      activate(backend, y, sizeOf(ours.shape));
    });
  }),
);

const backpropInput = engineKernel<
  { dy: TensorInfo; filter: TensorInfo },
  ConvolutionAttributes & { readonly inputShape: readonly number[] }
>('DepthwiseConv2dNativeBackpropInput', (call) => {
  const { inputs, attrs, backend } = call;
  const ours = depthwiseOf(attrs.inputShape, inputs.filter.shape, attrs);
  if (!ours) return reference('DepthwiseConv2dNativeBackpropInput', call);
  const [dy, weights] = [backend.pointer(inputs.dy), backend.pointer(inputs.filter)];
  return backend.make(attrs.inputShape, (y) => depthwiseConvolve(backend, ours, 'transposed', dy, weights, y));
});

const backpropFilter = engineKernel<
  { x: TensorInfo; dy: TensorInfo },
  ConvolutionAttributes & { readonly filterShape: readonly number[] }
>('DepthwiseConv2dNativeBackpropFilter', (call) => {
  const { inputs, attrs, backend } = call;
  const ours = depthwiseOf(inputs.x.shape, attrs.filterShape, attrs);
  if (!ours) return reference('DepthwiseConv2dNativeBackpropFilter', call);
  const { x, dy } = inputs;
  return backend.defer(attrs.filterShape, [x, dy], (y) =>
    depthwiseFilterGradient(backend, ours, backend.pointer(x), backend.pointer(dy), y),
  );
});

export const depthwiseKernels = [...forward, backpropInput, backpropFilter];
