// The gradients of convolutions: as tfjs-core's, but also for dilated filters and with the rounding mode of the output's size.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from '../kernel.ts';
import { gradient } from './gradient.ts';
import { spread } from './spread.ts';

interface Convolution {
  readonly strides: number | number[];
  readonly pad: unknown;
  readonly dilations?: number | number[] | null;
  readonly dataFormat?: string;
  readonly dimRoundingMode?: string;
}

/**
 * The gradients of a convolution over `spatial` axes, by the kernels that compute them for filters without dilation. A
 * filter of dilation d is one without dilation that has d − 1 zeros between its taps.
 */
const convolution = (kernelName: string, spatial: number, inputKernel: string, filterKernel: string) =>
  gradient<Convolution>({
    kernelName,
    inputsToSave: ['x', 'filter'],
    reads: { x: ['filter'], filter: ['x'] },
    gradFunc: (dy, [x, filter], { strides, pad, dilations, dataFormat, dimRoundingMode }) => {
      const steps = Array.isArray(dilations) ? dilations.slice(-spatial) : Array(spatial).fill(dilations ?? 1);
      const attrs = { strides, pad, dataFormat, dimRoundingMode, dilations: Array(spatial).fill(1) };
      const apart = () => steps.reduce((taps: Tensor, step, axis) => spread(taps, axis, step), filter);
      return {
        x: () => runKernel(inputKernel, { dy, filter: apart() }, { ...attrs, inputShape: x.shape }),
        filter: () => {
          const filterShape = filter.shape.map((size, axis) => (axis < spatial ? (size - 1) * steps[axis] + 1 : size));
          const taps = runKernel<Tensor>(filterKernel, { x, dy }, { ...attrs, filterShape });
          if (steps.every((step) => step === 1)) return taps;
          const every = filter.shape.map((_, axis) => (axis < spatial ? steps[axis] : 1));
          return tf.stridedSlice(taps, Array(taps.rank).fill(0), filterShape, every);
        },
      };
    },
  });

export const convolutionGradients = [
  convolution('Conv2D', 2, 'Conv2DBackpropInput', 'Conv2DBackpropFilter'),
  convolution('DepthwiseConv2dNative', 2, 'DepthwiseConv2dNativeBackpropInput', 'DepthwiseConv2dNativeBackpropFilter'),
  convolution('Conv3D', 3, 'Conv3DBackpropInputV2', 'Conv3DBackpropFilterV2'),
];
