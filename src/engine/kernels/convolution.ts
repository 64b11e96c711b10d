// The kernels of convolutions of plain tensors, and their gradients.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { convolvePlain } from '../plain/convolution.ts';
import { filterGradientPlain } from '../plain/gradient.ts';
import { engineKernel, reference } from './kernel.ts';
import { activated } from './unary.ts';
import { type ConvolutionAttributes, convolutionOf } from './windows.ts';

const conv2D = engineKernel<{ x: TensorInfo; filter: TensorInfo }, ConvolutionAttributes>('Conv2D', (call) => {
  const { inputs, attrs, backend } = call;
  const { x, filter } = inputs;
  const ours = convolutionOf(x.shape, filter.shape, attrs);
  if (!ours) return reference('Conv2D', call);
  const [from, weights] = [backend.pointer(x), backend.pointer(filter)];
  return backend.make(ours.shape, (y) => convolvePlain(backend, ours, 'forward', from, weights, y));
});

interface FusedInputs {
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias?: TensorInfo;
  readonly preluActivationWeights?: TensorInfo;
}

interface FusedAttributes extends ConvolutionAttributes {
  readonly activation?: string | null;
  readonly leakyreluAlpha?: number;
}

const fusedConv2D = engineKernel<FusedInputs, FusedAttributes>('FusedConv2D', (call) => {
  const { inputs, attrs, backend } = call;
  const { x, filter, bias } = inputs;
  const ours = convolutionOf(x.shape, filter.shape, attrs);
  const activate = activated(attrs.activation ?? 'linear', attrs.leakyreluAlpha);
  if (!ours || !activate || (bias && sizeOf(bias.shape) !== ours.outputs)) {
    return reference('FusedConv2D', call);
  }
  const [from, weights] = [backend.pointer(x), backend.pointer(filter)];
  const epilogue = { bias: bias && backend.pointer(bias), relu: attrs.activation === 'relu' };
  return backend.make(ours.shape, (y) => {
    convolvePlain(backend, ours, 'forward', from, weights, y, epilogue);
    activate(backend, y, sizeOf(ours.shape));
  });
});

const conv2DBackpropInput = engineKernel<
  { dy: TensorInfo; filter: TensorInfo },
  ConvolutionAttributes & { readonly inputShape: readonly number[] }
>('Conv2DBackpropInput', (call) => {
  const { inputs, attrs, backend } = call;
  const { dy, filter } = inputs;
  const ours = convolutionOf(attrs.inputShape, filter.shape, attrs);
  if (!ours) return reference('Conv2DBackpropInput', call);
  const [from, weights] = [backend.pointer(dy), backend.pointer(filter)];
  return backend.make(attrs.inputShape, (y) => convolvePlain(backend, ours, 'transposed', from, weights, y));
});

const conv2DBackpropFilter = engineKernel<
  { x: TensorInfo; dy: TensorInfo },
  ConvolutionAttributes & { readonly filterShape: readonly number[] }
>('Conv2DBackpropFilter', (call) => {
  const { inputs, attrs, backend } = call;
  const ours = convolutionOf(inputs.x.shape, attrs.filterShape, attrs);
  if (!ours) return reference('Conv2DBackpropFilter', call);
  const { x, dy } = inputs;
  return backend.defer(attrs.filterShape, [x, dy], (y) =>
    filterGradientPlain(backend, ours, backend.pointer(x), backend.pointer(dy), y),
  );
});

export const convolutionKernels = [conv2D, fusedConv2D, conv2DBackpropInput, conv2DBackpropFilter];
