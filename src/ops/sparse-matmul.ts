// The product of a batch with a sparse matrix, and its gradients.
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Structure } from '../core/structure.ts';
import './gradients.ts';
import { runKernelOr } from './kernel.ts';
import { checkValues } from './sparse-conv2d.ts';
import { gather, scatter } from './sparse-kernel.ts';

/** Kernel names; a backend that registers them replaces the plain definitions below. */
export const SparseMatMul = 'SparseMatMul';
export const SparseMatMulBackpropInput = 'SparseMatMulBackpropInput';
export const SparseMatMulBackpropKernel = 'SparseMatMulBackpropKernel';

export interface SparseMatMulAttributes {
  readonly structure: Structure;
}

export type SparseMatMulInputs = { x: Tensor2D; values: Tensor1D; probe?: Tensor2D };
export type SparseMatMulBackpropInputInputs = { dy: Tensor2D; values: Tensor1D };
export type SparseMatMulBackpropKernelInputs = { x: Tensor2D; dy: Tensor2D };

const plain = ({ x, values }: SparseMatMulInputs, { structure }: SparseMatMulAttributes): Tensor2D =>
  tf.matMul(x, scatter(structure, values) as Tensor2D);

const plainBackpropInput = (
  { dy, values }: SparseMatMulBackpropInputInputs,
  { structure }: SparseMatMulAttributes,
): Tensor2D => tf.matMul(dy, scatter(structure, values) as Tensor2D, false, true);

const denseKernelGradient = (x: Tensor2D, dy: Tensor2D): Tensor2D => tf.matMul(x, dy, true, false);

const plainBackpropKernel = ({ x, dy }: SparseMatMulBackpropKernelInputs, { structure }: SparseMatMulAttributes) =>
  gather(structure, denseKernelGradient(x, dy));

/**
 * Matrix product with a kernel stored sparse.
 *
 * @param x [batch, inputs]
 * @param structure of a kernel of shape [inputs, outputs]
 * @param values [nonzeros], in the structure's order
 * @param probe an all-zero kernel of the dense shape that is not read; its gradient is the dense kernel gradient
 * @returns [batch, outputs], owned by the caller
 */
export function sparseMatMul(x: Tensor2D, structure: Structure, values: Tensor1D, probe?: Tensor2D): Tensor2D {
  checkValues(structure, values);
  const inputs: SparseMatMulInputs = probe ? { x, values, probe } : { x, values };
  return runKernelOr(SparseMatMul, plain, inputs as Required<SparseMatMulInputs>, { structure });
}

tf.registerGradient({
  kernelName: SparseMatMul,
  inputsToSave: ['x', 'values'],
  gradFunc: (dy, saved, attrs) => {
    const [x, values] = saved as [Tensor2D, Tensor1D];
    const { structure } = attrs as unknown as SparseMatMulAttributes;
    return {
      x: () =>
        runKernelOr(SparseMatMulBackpropInput, plainBackpropInput, { dy: dy as Tensor2D, values }, { structure }),
      values: () =>
        runKernelOr(SparseMatMulBackpropKernel, plainBackpropKernel, { x, dy: dy as Tensor2D }, { structure }),
      probe: () => denseKernelGradient(x, dy as Tensor2D),
    };
  },
});
