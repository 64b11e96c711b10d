// The kernels of `sparseMatMul`, which run as sparse convolutions of images of one pixel.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import {
  SparseMatMul,
  type SparseMatMulAttributes,
  SparseMatMulBackpropInput,
  SparseMatMulBackpropKernel,
} from '../../ops/sparse-matmul.ts';
import type { EngineBackend } from '../backend.ts';
import type { ConvolutionShape } from '../layout/layout.ts';
import { engineKernel } from './kernel.ts';
import { convolve, filterGradient, inputGradient, type Problem, problem } from './sparse-convolution.ts';

/** x [batch, inputs] times a kernel [inputs, outputs], as a convolution of images of one pixel. */
const product = (backend: EngineBackend, batch: number, [inputs, outputs]: readonly number[]): Problem => {
  const shape: ConvolutionShape = {
    kernel: [1, 1],
    stride: 1,
    padding: [0, 0],
    input: [1, 1, inputs],
    output: [1, 1, outputs],
  };
  return problem(batch, shape, backend);
};

const sparseMatMul = engineKernel<{ x: TensorInfo; values: TensorInfo }, SparseMatMulAttributes>(
  SparseMatMul,
  ({ inputs: { x, values }, attrs: { structure }, backend }) =>
    convolve(backend, product(backend, x.shape[0], structure.shape), structure, values, x, [
      x.shape[0],
      structure.shape[1],
    ]),
);

const sparseMatMulBackpropInput = engineKernel<{ dy: TensorInfo; values: TensorInfo }, SparseMatMulAttributes>(
  SparseMatMulBackpropInput,
  ({ inputs: { dy, values }, attrs: { structure }, backend }) => {
    const [batch] = dy.shape;
    const shape = [batch, structure.shape[0]];
    return inputGradient(backend, product(backend, batch, structure.shape), structure, values, dy, shape);
  },
);

const sparseMatMulBackpropKernel = engineKernel<{ x: TensorInfo; dy: TensorInfo }, SparseMatMulAttributes>(
  SparseMatMulBackpropKernel,
  ({ inputs: { x, dy }, attrs: { structure }, backend }) =>
    filterGradient(backend, product(backend, x.shape[0], structure.shape), structure, x, dy, [
      structure.positions.length,
    ]),
);

export const sparseMatMulKernels = [sparseMatMul, sparseMatMulBackpropInput, sparseMatMulBackpropKernel];
