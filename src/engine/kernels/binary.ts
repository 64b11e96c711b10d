// The kernels of elementwise ops of two tensors, with broadcasting.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { backend_util } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend } from '../backend.ts';
import type { Fields } from '../records/records.ts';
import { binaryInBlocks, type RunFlat } from './binary-in-blocks.ts';
import { merged, repeated, type Walk } from './dimensions.ts';
import { commonForm, mapBlocks } from './in-blocks.ts';
import { CHUNK, chunks, type EngineKernel, engineKernel, reference } from './kernel.ts';

interface Operation {
  /** Its number for float32, and for int32 where there is one. */
  readonly float32: number;
  readonly int32?: number;
  readonly result: 'same' | 'bool';
  /** a op b is computed as b op' a. */
  readonly swapped?: boolean;
}

const OPERATIONS: Readonly<Record<string, Operation>> = {
  Add: { float32: 0, int32: 15, result: 'same' },
  Sub: { float32: 1, int32: 16, result: 'same' },
  Multiply: { float32: 2, result: 'same' },
  RealDiv: { float32: 3, result: 'same' },
  Maximum: { float32: 4, int32: 17, result: 'same' },
  Minimum: { float32: 5, int32: 18, result: 'same' },
  SquaredDifference: { float32: 6, result: 'same' },
  Greater: { float32: 7, int32: 11, result: 'bool' },
  GreaterEqual: { float32: 8, int32: 12, result: 'bool' },
  Less: { float32: 7, int32: 11, result: 'bool', swapped: true },
  LessEqual: { float32: 8, int32: 12, result: 'bool', swapped: true },
  Equal: { float32: 9, int32: 13, result: 'bool' },
  NotEqual: { float32: 10, int32: 14, result: 'bool' },
};

/** f(a, b) of float32 or int32 tensors, either repeated to the other's shape; undefined if the case is not ours. */
function broadcast(
  backend: EngineBackend,
  operation: Operation,
  inputA: TensorInfo,
  inputB: TensorInfo,
): TensorInfo | undefined {
  const [a, b] = operation.swapped ? [inputB, inputA] : [inputA, inputB];
  const { dtype } = a;
  const number = (dtype === 'float32' || dtype === 'int32') && dtype === b.dtype ? operation[dtype] : undefined;
  const shape = backend_util.assertAndGetBroadcastShape(a.shape, b.shape);
  const walk = number === undefined ? undefined : walkOf(a.shape, b.shape, shape);
  if (number === undefined || !walk) return undefined;

  const [left, right] = [backend.pointer(a), backend.pointer(b)];
  const { pointer, ...y } = backend.allocate(shape, operation.result === 'bool' ? 'bool' : (dtype as 'float32'));
  const length = sizeOf(shape);
  const times = repeats(walk);
  if (times === 1) {
    backend.pool.run(chunks(length), 'binary', fieldsOf(number, left, right, pointer, length, walk));
    return y;
  }
  const width = walk.sizes[5];
  const long = backend.heap.allocate(4 * width * times);
  try {
    const vector = backend.heap.int32(right, width);
    const row = backend.heap.int32(long, width * times);
    for (let i = 0; i < times; i++) row.set(vector, i * width);
    const fields = fieldsOf(number, left, long, pointer, length, rowsOf(walk.sizes[4] / times, width * times));
    backend.pool.run(chunks(length), 'binary', fields);
  } finally {
    backend.heap.free(long);
  }
  return y;
}

export const binaryKernels: readonly EngineKernel[] = Object.entries(OPERATIONS).map(([name, operation]) =>
  engineKernel<{ a: TensorInfo; b: TensorInfo }>(name, (call) => {
    const { inputs, backend } = call;
    const { a, b } = inputs;
    const flatly: RunFlat = (left, right, y, length, strides) =>
      backend.pool.run(
        chunks(length),
        'binary',
        fieldsOf(operation.float32, left, right, y, length, flat(length, ...strides)),
      );
    const inBlocks = binaryInBlocks(backend, name, a, b, flatly);
    return inBlocks ?? broadcast(backend, operation, a, b) ?? reference(name, call);
  }),
);

/** Kernels whose operands have names of their own. */
export const operandKernels: readonly EngineKernel[] = [
  engineKernel<{ dy: TensorInfo; y: TensorInfo }>('EluGrad', (call) => {
    const { dy, y } = call.inputs;
    return broadcast(call.backend, { float32: 19, result: 'same' }, dy, y) ?? reference('EluGrad', call);
  }),
  engineKernel<{ x: TensorInfo; alpha: TensorInfo }>('Prelu', (call) => {
    const { x, alpha } = call.inputs;
    return broadcast(call.backend, { float32: 20, result: 'same' }, x, alpha) ?? reference('Prelu', call);
  }),
];

/** How a and b are walked together; undefined if the kernel has no room for their dimensions. */
function walkOf(a: readonly number[], b: readonly number[], shape: readonly number[]): Walk | undefined {
  const [size, sizeA, sizeB] = [sizeOf(shape), sizeOf(a), sizeOf(b)];
  if ((sizeA === size || sizeA === 1) && (sizeB === size || sizeB === 1)) {
    return flat(size, sizeA === size ? 1 : 0, sizeB === size ? 1 : 0);
  }
  return merged({ sizes: shape, strides: [repeated(a, shape), repeated(b, shape)] });
}

const flat = (size: number, a: number, b: number): Walk => ({
  sizes: [1, 1, 1, 1, 1, size],
  strides: [
    [0, 0, 0, 0, 0, a],
    [0, 0, 0, 0, 0, b],
  ],
});

/** Columns that a row should have to be worth a turn of its own. */
const LONG = 256;

const rowsOf = (rows: number, width: number): Walk => ({
  sizes: [1, 1, 1, 1, rows, width],
  strides: [
    [0, 0, 0, 0, width, 1],
    [0, 0, 0, 0, 0, 1],
  ],
});

/** How many short rows of a with a vector b, one value a column, are joined to a long one: a power of two. */
function repeats({ sizes: [, , , outer, rows, width], strides: [a, b] }: Walk): number {
  let times = 1;
  if (outer !== 1 || a[4] !== width || a[5] !== 1 || b[4] !== 0 || b[5] !== 1) return times;
  while (rows % (2 * times) === 0 && times * width < LONG) times *= 2;
  return times;
}

function fieldsOf(
  operation: number,
  a: number,
  b: number,
  y: number,
  length: number,
  {
    sizes: [size0, size1, size2, size3, size4, size5],
    strides: [[a0, a1, a2, a3, a4, a5], [b0, b1, b2, b3, b4, b5]],
  }: Walk,
): Fields<'binary'> {
  // biome-ignore format: a dimension of each a line
  return {
    operation, a, b, y, length, chunk: CHUNK,
    size0, size1, size2, size3, size4, size5,
    a0, a1, a2, a3, a4, a5,
    b0, b1, b2, b3, b4, b5,
  };
}

/** ((x₀ + x₁) + x₂) + … */
export const addN = engineKernel<TensorInfo[]>('AddN', (call) => {
  const tensors = Object.values(call.inputs);
  if (tensors.some((x) => x.dtype !== 'float32') || tensors.length < 2) return reference('AddN', call);
  const { backend } = call;
  const add = ([first, ...others]: readonly number[], y: number, length: number) => {
    const walk = flat(length, 1, 1);
    backend.pool.runChain(
      chunks(length),
      others.map((b, i) => ({
        kernel: 'binary' as const,
        fields: fieldsOf(OPERATIONS.Add.float32, i === 0 ? first : y, b, y, length, walk),
      })),
    );
  };
  const form = commonForm(backend, tensors);
  if (form) return mapBlocks(backend, tensors, form, add);
  const sources = tensors.map((x) => backend.pointer(x));
  return backend.make(tensors[0].shape, (y) => add(sources, y, sizeOf(tensors[0].shape)));
});
