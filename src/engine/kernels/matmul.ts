// The kernels of matrix products, which run as convolutions of images of one pixel.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { backend_util } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend } from '../backend.ts';
import { convolvePlain, type Epilogue, type PlainConvolution } from '../plain/convolution.ts';
import { filterGradientPlain } from '../plain/gradient.ts';
import { repeated, rowMajor } from './dimensions.ts';
import { type EngineCall, engineKernel, reference } from './kernel.ts';
import { transposed } from './shape.ts';
import { activated } from './unary.ts';

interface Inputs {
  readonly a: TensorInfo;
  readonly b: TensorInfo;
  readonly bias?: TensorInfo;
}
interface Attributes {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly activation?: string | null;
  readonly leakyreluAlpha?: number;
}

const PIXEL = { input: 1, output: 1, size: 1, stride: 1, dilation: 1, padding: 0 };

/** [rows, depth] times [depth, columns], as a convolution of images of one pixel. */
const product = (batch: number, inputs: number, outputs: number): PlainConvolution => ({
  windows: { batch, rows: PIXEL, columns: PIXEL },
  inputs,
  outputs,
});

/** One product, of addresses: a · b, a · bᵀ or aᵀ · b. */
function multiply(
  backend: EngineBackend,
  [rows, depth, columns]: readonly [number, number, number],
  { transposeA, transposeB }: Attributes,
  [a, b, y]: readonly [number, number, number],
  epilogue: Epilogue,
): void {
  if (transposeA) filterGradientPlain(backend, product(depth, rows, columns), a, b, y);
  else if (transposeB) convolvePlain(backend, product(rows, columns, depth), 'transposed', a, b, y, epilogue);
  else convolvePlain(backend, product(rows, depth, columns), 'forward', a, b, y, epilogue);
}

/** Products of the matrices in the last two dimensions, the others broadcast. */
function matMul(kernelName: string, call: EngineCall<Inputs, Attributes>): TensorInfo | TensorInfo[] {
  const { inputs, attrs, backend } = call;
  const { a, b, bias } = inputs;
  const { transposeA, transposeB, leakyreluAlpha } = attrs;
  const activation = attrs.activation ?? 'linear';
  const [rowsA, columnsA] = a.shape.slice(-2);
  const [rowsB, columnsB] = b.shape.slice(-2);
  const [rows, depth] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const columns = transposeB ? rowsB : columnsB;
  const outer = backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const shape = [...outer, rows, columns];
  const activate = activated(activation, leakyreluAlpha);
  const ours =
    a.dtype === 'float32' &&
    b.dtype === 'float32' &&
    sizeOf(shape) * depth > 0 &&
    (!bias || sizeOf(bias.shape) === columns) &&
    !(transposeA && (bias || activation === 'relu')) &&
    activate;
  if (!ours) return reference(kernelName, call);
  if (transposeA && transposeB) {
    // aᵀ · bᵀ: one of them is turned round first.
    const axes = a.shape.map((_, i) => i);
    const turned = transposed(backend, a, [...axes.slice(0, -2), ...axes.slice(-2).reverse()]);
    if (!turned) return reference(kernelName, call);
    try {
      return matMul(kernelName, { ...call, inputs: { ...inputs, a: turned }, attrs: { ...attrs, transposeA: false } });
    } finally {
      backend.disposeIntermediateTensorInfo(turned);
    }
  }
  const write = (y: number) => {
    const [from, weights] = [backend.pointer(a), backend.pointer(b)];
    const epilogue = { bias: bias && backend.pointer(bias), relu: activation === 'relu' };
    const [matrixA, matrixB, matrixY] = [rowsA * columnsA, rowsB * columnsB, rows * columns].map((size) => 4 * size);
    const places = matrices(outer, a.shape.slice(0, -2)).map((i) => from + i * matrixA);
    matrices(outer, b.shape.slice(0, -2)).forEach((j, i) => {
      const sides = [places[i], weights + j * matrixB, y + i * matrixY] as const;
      multiply(backend, [rows, depth, columns], attrs, sides, epilogue);
    });
    activate(backend, y, sizeOf(shape));
  };
  // aᵀ · b is what gradients of weights are.
  return transposeA ? backend.defer(shape, [a, b], write) : backend.make(shape, write);
}

/** Which matrix of a tensor with the leading dimensions `dims` each of those of the result takes. */
function matrices(outer: readonly number[], dims: readonly number[]): number[] {
  const strides = repeated(dims, outer);
  const places = rowMajor(outer);
  return Array.from({ length: sizeOf(outer) }, (_, i) =>
    outer.reduce((sum, size, axis) => sum + strides[axis] * (Math.floor(i / places[axis]) % size), 0),
  );
}

export const matMulKernels = ['BatchMatMul', '_FusedMatMul'].map((kernelName) =>
  engineKernel<Inputs, Attributes>(kernelName, (call) => matMul(kernelName, call)),
);
