// Convolution with a sparse kernel, and its gradients at the nonzeros.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import type { Structure } from '../core/structure.ts';
import './gradients.ts';
import { runKernel, runKernelOr } from './kernel.ts';
import { gather, scatter } from './sparse-kernel.ts';

/** Kernel names; a backend that registers them replaces the plain definitions below. */
export const SparseConv2D = 'SparseConv2D';
export const SparseConv2DBackpropInput = 'SparseConv2DBackpropInput';
export const SparseConv2DBackpropFilter = 'SparseConv2DBackpropFilter';

/** How the windows of a convolution move. */
export interface Convolution {
  readonly stride: number;
  /** Zeros added on each side of height and width, as PyTorch does. */
  readonly padding: number;
}

export interface SparseConv2DAttributes extends Convolution {
  readonly structure: Structure;
}
export interface SparseConv2DBackpropInputAttributes extends SparseConv2DAttributes {
  readonly inputShape: readonly [number, number, number, number];
}

export type SparseConv2DInputs = { x: Tensor4D; values: Tensor1D; probe?: Tensor4D };
export type SparseConv2DBackpropInputInputs = { dy: Tensor4D; values: Tensor1D };
export type SparseConv2DBackpropFilterInputs = { x: Tensor4D; dy: Tensor4D };

const convolutionAttributes = ({ stride, padding }: Convolution) => ({
  strides: [stride, stride],
  pad: padding,
  dataFormat: 'NHWC',
  dilations: 1,
});

const denseFilterGradient = (x: Tensor4D, dy: Tensor4D, { structure, ...convolution }: SparseConv2DAttributes) =>
  runKernel<Tensor4D>(
    'Conv2DBackpropFilter',
    { x, dy },
    { ...convolutionAttributes(convolution), filterShape: [...structure.shape] },
  );

const plain = ({ x, values }: SparseConv2DInputs, { structure, stride, padding }: SparseConv2DAttributes) =>
  tf.conv2d(x, scatter(structure, values) as Tensor4D, stride, padding);

const plainBackpropInput = (
  { dy, values }: SparseConv2DBackpropInputInputs,
  { structure, inputShape, ...convolution }: SparseConv2DBackpropInputAttributes,
) =>
  runKernel<Tensor4D>(
    'Conv2DBackpropInput',
    { dy, filter: scatter(structure, values) },
    { ...convolutionAttributes(convolution), inputShape: [...inputShape] },
  );

const plainBackpropFilter = ({ x, dy }: SparseConv2DBackpropFilterInputs, attrs: SparseConv2DAttributes) =>
  gather(attrs.structure, denseFilterGradient(x, dy, attrs));

/**
 * Two-dimensional convolution with a kernel stored sparse; only its nonzeros are multiplied, where the backend can.
 *
 * @param x [batch, height, width, inputs]
 * @param structure of a kernel of shape [height, width, inputs, outputs]
 * @param values [nonzeros], in the structure's order
 * @param probe an all-zero kernel of the dense shape that is not read; its gradient is the dense filter gradient
 * @returns [batch, outputHeight, outputWidth, outputs], owned by the caller
 * @throws InputError if there are not as many values as nonzeros, or the kernel is not one for x
 */
export function sparseConv2d(
  x: Tensor4D,
  structure: Structure,
  values: Tensor1D,
  { stride, padding }: Convolution,
  probe?: Tensor4D,
): Tensor4D {
  checkValues(structure, values);
  checkWindow(x, structure, padding);
  const inputs: SparseConv2DInputs = probe ? { x, values, probe } : { x, values };
  return runKernelOr(SparseConv2D, plain, inputs as Required<SparseConv2DInputs>, { structure, stride, padding });
}

function checkWindow(x: Tensor4D, { shape }: Structure, padding: number): void {
  const [, height, width, inputs] = x.shape;
  const [kernelHeight, kernelWidth, kernelInputs] = shape;
  const fits = kernelHeight <= height + 2 * padding && kernelWidth <= width + 2 * padding;
  if (x.rank === 4 && shape.length === 4 && inputs === kernelInputs && fits) return;
  throw new InputError(
    `A kernel [${shape.join(', ')}] needs images [batch, height, width, ${kernelInputs}] that are at least as large as the ` +
      `kernel after padding by ${padding} on each side, got [${x.shape.join(', ')}].`,
  );
}

export function checkValues(structure: Structure, values: Tensor1D): void {
  if (values.size !== structure.positions.length) {
    throw new InputError(
      `A structure with ${structure.positions.length} nonzeros needs one value for each, got ${values.size} values.`,
    );
  }
}

tf.registerGradient({
  kernelName: SparseConv2D,
  inputsToSave: ['x', 'values'],
  gradFunc: (dy, saved, attrs) => {
    const [x, values] = saved as [Tensor4D, Tensor1D];
    const convolution = attrs as unknown as SparseConv2DAttributes;
    return {
      x: () =>
        runKernelOr(
          SparseConv2DBackpropInput,
          plainBackpropInput,
          { dy: dy as Tensor4D, values },
          { ...convolution, inputShape: x.shape },
        ),
      values: () =>
        runKernelOr(SparseConv2DBackpropFilter, plainBackpropFilter, { x, dy: dy as Tensor4D }, convolution),
      probe: () => denseFilterGradient(x, dy as Tensor4D, convolution),
    };
  },
});
