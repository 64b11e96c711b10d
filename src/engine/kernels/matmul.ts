import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import {
  SparseMatMul,
  type SparseMatMulAttributes,
  SparseMatMulBackpropInput,
  SparseMatMulBackpropKernel,
} from '../../ops/sparse-matmul.ts';
import { denseKernel } from '../convolution.ts';
import { convolve, filterGradient, type Problem, problem } from './convolution.ts';
import { type EngineCall, engineKernel, reference } from './kernel.ts';

/** x [batch, inputs] times a kernel [inputs, outputs], as a convolution of images of one pixel. */
const product = (batch: number, [inputs, outputs]: readonly number[]): Problem =>
  problem(batch, {
    kernel: [1, 1],
    stride: 1,
    padding: [0, 0],
    input: [1, 1, inputs],
    output: [1, 1, outputs],
  });

const sparseMatMul = engineKernel<{ x: TensorInfo; values: TensorInfo }, SparseMatMulAttributes>(
  SparseMatMul,
  ({ inputs: { x, values }, attrs: { structure }, backend }) =>
    convolve(backend, product(x.shape[0], structure.shape), structure, values, x, [x.shape[0], structure.shape[1]]),
);

const sparseMatMulBackpropInput = engineKernel<{ dy: TensorInfo; values: TensorInfo }, SparseMatMulAttributes>(
  SparseMatMulBackpropInput,
  ({ inputs: { dy, values }, attrs: { structure }, backend }) => {
    const [batch] = dy.shape;
    const shape = [batch, structure.shape[0]];
    return convolve(backend, product(batch, structure.shape), structure, values, dy, shape, 'transposed');
  },
);

const sparseMatMulBackpropKernel = engineKernel<{ x: TensorInfo; dy: TensorInfo }, SparseMatMulAttributes>(
  SparseMatMulBackpropKernel,
  ({ inputs: { x, dy }, attrs: { structure }, backend }) =>
    filterGradient(backend, product(x.shape[0], structure.shape), structure, x, dy, [structure.positions.length]),
);

interface MatMulInputs {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  readonly bias?: TensorInfo;
}
interface MatMulAttributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation?: string | null;
}

/** Products below this number of multiplications are not worth a layout change; kernels above the other fill the heap. */
const SMALLEST = 1 << 14;
const LARGEST = 8 << 20;

/** A product of two matrices; batches of several, both sides transposed, and other activations stay with the reference. */
function matMul(kernelName: string, call: EngineCall<MatMulInputs, MatMulAttributes>): TensorInfo | TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { a, b, bias } = inputs;
  const { transposeA, transposeB, activation } = attrs;
  const matrices = [a, b].every(({ shape, dtype }) => sizeOf(shape.slice(0, -2)) === 1 && dtype === 'float32');
  const rank = Math.max(a.shape.length, b.shape.length);
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const fused = bias !== undefined || (activation ?? 'linear') !== 'linear';
  const epilogue = activation === 'relu' || (activation ?? 'linear') === 'linear';
  const work = sizeOf(a.shape) * (transposeB ? rowsB : columnsB);
  const ours =
    matrices &&
    !(transposeA && transposeB) &&
    work >= SMALLEST &&
    sizeOf(b.shape) <= LARGEST &&
    (!fused || (epilogue && !transposeA && !transposeB && (!bias || sizeOf(bias.shape) === columnsB)));
  if (!ours) return reference(kernelName, call);
  const shapeOf = (rows: number, columns: number) => [...new Array(rank - 2).fill(1), rows, columns];
  if (transposeA) {
    const kernel = [columnsA, columnsB];
    if (sizeOf(kernel) > LARGEST) return reference(kernelName, call);
    return filterGradient(backend, product(rowsA, kernel), denseKernel(kernel), a, b, shapeOf(columnsA, columnsB));
  }
  const kernel = [rowsB, columnsB];
  const p = product(rowsA, kernel);
  if (transposeB) return convolve(backend, p, denseKernel(kernel), b, a, shapeOf(rowsA, rowsB), 'transposed');
  const after = { bias: bias && backend.pointer(bias), relu: activation === 'relu' };
  return convolve(backend, p, denseKernel(kernel), b, a, shapeOf(rowsA, columnsB), 'forward', after);
}

const denseMatMul = ['BatchMatMul', '_FusedMatMul'].map((kernelName) =>
  engineKernel<MatMulInputs, MatMulAttributes>(kernelName, (call) => matMul(kernelName, call)),
);

export const matMulKernels = [sparseMatMul, sparseMatMulBackpropInput, sparseMatMulBackpropKernel, ...denseMatMul];
