// The kernels of convolutions of plain tensors, depthwise ones among them, and their gradients.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend } from '../backend.ts';
import { convolvePlain, type Epilogue } from '../plain/convolution.ts';
import { depthwiseConvolve, depthwiseFilterGradient } from '../plain/depthwise.ts';
import { filterGradientPlain } from '../plain/gradient.ts';
import { type EngineKernel, engineKernel, reference } from './kernel.ts';
import { activated } from './unary.ts';
import { type ConvolutionAttributes, convolutionOf, type Problem } from './windows.ts';

interface Inputs {
  readonly x: TensorInfo;
  readonly filter: TensorInfo;
  readonly bias?: TensorInfo;
}

interface FusedAttributes extends ConvolutionAttributes {
  readonly activation?: string | null;
  readonly leakyreluAlpha?: number;
}

/** A kind of convolution: the names that TensorFlow.js has for its kernels, and what computes them. */
interface Kind {
  /** The kernels of the forward pass: without bias and activation, and with them. */
  readonly forward: readonly string[];
  readonly inputGradient: string;
  readonly filterGradient: string;
  /** The problem, or null if it is not ours. */
  readonly problemOf: (
    input: readonly number[],
    filter: readonly number[],
    attrs: ConvolutionAttributes,
  ) => Problem | null;
  /** Writes y = f(bias + x ∗ w), or with `direction` transposed the gradient of the input at x; all are addresses. */
  readonly convolve: (
    backend: EngineBackend,
    problem: Problem,
    direction: 'forward' | 'transposed',
    x: number,
    w: number,
    y: number,
    epilogue?: Epilogue,
  ) => void;
  /** Writes the gradient of the filter for x and dy into y; all are addresses. */
  readonly gradient: (backend: EngineBackend, problem: Problem, x: number, dy: number, y: number) => void;
}

const kernelsOf = ({ forward, inputGradient, filterGradient, problemOf, convolve, gradient }: Kind): EngineKernel[] => [
  ...forward.map((name) =>
    engineKernel<Inputs, FusedAttributes>(name, (call) => {
      const { inputs, attrs, backend } = call;
      const { x, filter, bias } = inputs;
      const ours = problemOf(x.shape, filter.shape, attrs);
      const activate = activated(attrs.activation ?? 'linear', attrs.leakyreluAlpha);
      if (!ours || !activate || (bias && sizeOf(bias.shape) !== ours.outputs)) return reference(name, call);
      const [from, weights] = [backend.pointer(x), backend.pointer(filter)];
      const epilogue = { bias: bias && backend.pointer(bias), relu: attrs.activation === 'relu' };
      return backend.make(ours.shape, (y) => {
        convolve(backend, ours, 'forward', from, weights, y, epilogue);
        activate(backend, y, sizeOf(ours.shape));
      });
    }),
  ),
  engineKernel<
    { dy: TensorInfo; filter: TensorInfo },
    ConvolutionAttributes & { readonly inputShape: readonly number[] }
  >(inputGradient, (call) => {
    const { inputs, attrs, backend } = call;
    const { dy, filter } = inputs;
    const ours = problemOf(attrs.inputShape, filter.shape, attrs);
    if (!ours) return reference(inputGradient, call);
    const [from, weights] = [backend.pointer(dy), backend.pointer(filter)];
    return backend.make(attrs.inputShape, (y) => convolve(backend, ours, 'transposed', from, weights, y));
  }),
  engineKernel<{ x: TensorInfo; dy: TensorInfo }, ConvolutionAttributes & { readonly filterShape: readonly number[] }>(
    filterGradient,
    (call) => {
      const { inputs, attrs, backend } = call;
      const ours = problemOf(inputs.x.shape, attrs.filterShape, attrs);
      if (!ours) return reference(filterGradient, call);
      const { x, dy } = inputs;
      return backend.defer(attrs.filterShape, [x, dy], (y) =>
        gradient(backend, ours, backend.pointer(x), backend.pointer(dy), y),
      );
    },
  ),
];

const ORDINARY: Kind = {
  forward: ['Conv2D', 'FusedConv2D'],
  inputGradient: 'Conv2DBackpropInput',
  filterGradient: 'Conv2DBackpropFilter',
  problemOf: (input, filter, attrs) => convolutionOf(input, filter, attrs),
  convolve: convolvePlain,
  gradient: filterGradientPlain,
};

const DEPTHWISE: Kind = {
  forward: ['DepthwiseConv2dNative', 'FusedDepthwiseConv2D'],
  inputGradient: 'DepthwiseConv2dNativeBackpropInput',
  filterGradient: 'DepthwiseConv2dNativeBackpropFilter',
  // Several outputs a channel are not ours.
  problemOf: (input, filter, attrs) => (filter[3] === 1 ? convolutionOf(input, filter, attrs, true) : null),
  convolve: (backend, { windows, inputs: channels }, ...rest) =>
    depthwiseConvolve(backend, { windows, channels }, ...rest),
  gradient: (backend, { windows, inputs: channels }, ...rest) =>
    depthwiseFilterGradient(backend, { windows, channels }, ...rest),
};

export const convolutionKernels = [ORDINARY, DEPTHWISE].flatMap(kernelsOf);
