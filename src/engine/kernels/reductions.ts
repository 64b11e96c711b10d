// The kernels of sums, means, maxima and other reductions.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { util } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend, HeapType } from '../backend.ts';
import type { Form } from '../layout/blocks.ts';
import { channelSums, commonForm } from './in-blocks.ts';
import { CHUNK, type EngineCall, type EngineKernel, engineKernel, reference } from './kernel.ts';
import { transposed } from './shape.ts';

// Reductions run over the middle of [outer, length, inner]; axes that are not neighbours are brought to the end first.
// How a reduction is cut depends on its shape alone, so neither the number of threads nor, for reductions within a sample,
// the batch changes a result.

/** A block of columns that is walked down together. */
const COLUMNS = 512;

const OPERATION = { sum: 0, product: 1, maximum: 2, minimum: 3 } as const;
const TYPE = { float32: 0, int32: 1, bool: 2 } as const satisfies Record<HeapType, number>;

interface Middle {
  readonly x: TensorInfo;
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

/** Calls `use` with x as [outer, length, inner]; undefined if x cannot be brought into that form. */
function withMiddle(
  backend: EngineBackend,
  x: TensorInfo,
  axes: readonly number[],
  use: (middle: Middle) => TensorInfo,
): TensorInfo | undefined {
  const sorted = [...axes].sort((a, b) => a - b);
  const [first = x.shape.length] = sorted;
  // Dimensions of 1 between the axes are no hindrance.
  const last = sorted.at(-1) ?? first - 1;
  const together = x.shape.every((size, i) => i < first || i > last || size === 1 || sorted.includes(i));
  if (together) {
    return use({
      x,
      outer: sizeOf(x.shape.slice(0, first)),
      length: sizeOf(x.shape.slice(first, last + 1)),
      inner: sizeOf(x.shape.slice(last + 1)),
    });
  }
  const others = x.shape.flatMap((_, i) => (sorted.includes(i) ? [] : [i]));
  const moved = transposed(backend, x, [...others, ...sorted]);
  if (!moved) return undefined;
  const length = sorted.reduce((size, i) => size * x.shape[i], 1);
  try {
    return use({ x: moved, outer: sizeOf(x.shape) / length, length, inner: 1 });
  } finally {
    backend.disposeIntermediateTensorInfo(moved);
  }
}

type Operation = keyof typeof OPERATION;

function reduced(
  backend: EngineBackend,
  { x, outer, length, inner }: Middle,
  operation: Operation,
  divisor: number,
  shape: readonly number[],
): TensorInfo {
  const dtype = x.dtype as HeapType;
  const [number, type] = [OPERATION[operation], TYPE[dtype]];
  const source = backend.pointer(x);
  const { pointer, ...y } = backend.allocate(shape, dtype);
  const columns = Math.min(inner, COLUMNS);
  const blocks = Math.ceil(inner / columns);
  const part = length * columns <= 2 * CHUNK ? length : Math.ceil(CHUNK / columns);
  const parts = Math.ceil(length / part);
  const units = outer * parts * blocks;
  const chunk = Math.max(1, Math.floor(CHUNK / (part * columns)));
  const target = parts > 1 ? backend.heap.allocate(8 * outer * parts * inner) : pointer;
  try {
    // biome-ignore format: what, where, and how it is cut
    backend.pool.run(Math.ceil(units / chunk), 'reduce', {
      operation: number, type, x: source, y: target, outer, length, inner,
      part, parts, columns, blocks, chunk, divisor,
    });
    if (parts > 1) {
      const fields = { operation: number, type, x: target, y: pointer, outer, parts, inner, divisor };
      backend.pool.run(1, 'reduceParts', fields);
    }
  } finally {
    if (parts > 1) backend.heap.free(target);
  }
  return y;
}

interface Attributes {
  readonly axis?: number | number[];
  readonly reductionIndices?: number | number[];
  readonly keepDims?: boolean;
}

/** True if all but the channels of images in blocks is reduced. */
const leavesChannels = (shape: readonly number[], axes: readonly number[], form: Form): boolean =>
  shape.at(-1) === form.shape[3] && shape.every((_, i) => axes.includes(i) === i < shape.length - 1);

type Call = EngineCall<{ x: TensorInfo }, Attributes>;

/** A reduction of one of `types`. */
const reduction = (name: string, operation: Operation, types: readonly string[], mean = false): EngineKernel =>
  engineKernel<{ x: TensorInfo }, Attributes>(name, (call: Call) => {
    const { inputs, attrs, backend } = call;
    const { x } = inputs;
    const axes = util.parseAxisParam(attrs.axis ?? attrs.reductionIndices ?? x.shape.map((_, i) => i), x.shape);
    const shape = attrs.keepDims
      ? x.shape.map((size, i) => (axes.includes(i) ? 1 : size))
      : x.shape.filter((_, i) => !axes.includes(i));
    if (!types.includes(x.dtype) || sizeOf(x.shape) === 0) return reference(name, call);
    const form = operation === 'sum' ? commonForm(backend, [x]) : undefined;
    if (form && leavesChannels(x.shape, axes, form)) {
      return backend.make(shape, (y) => channelSums(backend, x, form, mean ? sizeOf(shape) / sizeOf(x.shape) : 1, y));
    }
    const result = withMiddle(backend, x, axes, (middle) =>
      reduced(backend, middle, operation, mean ? middle.length : 1, shape),
    );
    return result ?? reference(name, call);
  });

const numbers = ['float32', 'int32'];

const arg = (name: string, operation: number): EngineKernel =>
  engineKernel<{ x: TensorInfo }, { axis: number }>(name, (call) => {
    const { inputs, attrs, backend } = call;
    const { x } = inputs;
    const [axis] = util.parseAxisParam(attrs.axis, x.shape);
    if (x.dtype !== 'float32' || sizeOf(x.shape) === 0) return reference(name, call);
    const outer = sizeOf(x.shape.slice(0, axis));
    const length = x.shape[axis];
    const inner = sizeOf(x.shape.slice(axis + 1));
    const source = backend.pointer(x);
    const shape = x.shape.filter((_, i) => i !== axis);
    const { pointer, ...y } = backend.allocate(shape, 'int32');
    const chunk = Math.max(1, Math.floor(CHUNK / length));
    const fields = { operation, x: source, y: pointer, outer, length, inner, chunk };
    backend.pool.run(Math.ceil((outer * inner) / chunk), 'arg', fields);
    return y;
  });

/** Rows and their length of a tensor along its last dimension. */
function rowsOf(x: TensorInfo): { rows: number; length: number; chunk: number } {
  const length = x.shape[x.shape.length - 1];
  const rows = sizeOf(x.shape.slice(0, -1));
  return { rows, length, chunk: Math.max(1, Math.floor(CHUNK / length)) };
}

const softmax = engineKernel<{ logits: TensorInfo }, { dim: number }>('Softmax', (call) => {
  const { logits } = call.inputs;
  const { dim } = call.attrs;
  const last = dim === -1 || dim === logits.shape.length - 1;
  if (logits.dtype !== 'float32' || !last || sizeOf(logits.shape) === 0) return reference('Softmax', call);
  const { backend } = call;
  const x = backend.pointer(logits);
  const { pointer, ...y } = backend.allocate(logits.shape);
  const { rows, length, chunk } = rowsOf(logits);
  backend.pool.run(Math.ceil(rows / chunk), 'softmax', { x, y: pointer, rows, length, chunk });
  return y;
});

interface CumsumAttributes {
  readonly axis: number;
  readonly exclusive?: boolean;
  readonly reverse?: boolean;
}

const cumsum = engineKernel<{ x: TensorInfo }, CumsumAttributes>('Cumsum', (call) => {
  const { inputs, attrs, backend } = call;
  const { x } = inputs;
  const [axis] = util.parseAxisParam(attrs.axis, x.shape);
  if (x.dtype !== 'float32' || axis !== x.shape.length - 1 || sizeOf(x.shape) === 0) {
    // The reference takes no axis from the end.
    return reference('Cumsum', { ...call, attrs: { ...attrs, axis } });
  }
  const source = backend.pointer(x);
  const { pointer, ...y } = backend.allocate(x.shape);
  const { rows, length, chunk } = rowsOf(x);
  const [exclusive, reverse] = [Number(attrs.exclusive ?? false), Number(attrs.reverse ?? false)];
  const fields = { x: source, y: pointer, rows, length, exclusive, reverse, chunk };
  backend.pool.run(Math.ceil(rows / chunk), 'cumsum', fields);
  return y;
});

/** Words of a thread's scratch memory besides four a value (assembly/tensors/sorting.ts). */
const COUNTS = 2048;

const topK = engineKernel<{ x: TensorInfo }, { k: number }>('TopK', (call) => {
  const { inputs, attrs, backend } = call;
  const { x } = inputs;
  const { k } = attrs;
  if (x.dtype !== 'float32' || sizeOf(x.shape) === 0 || k === 0) return reference('TopK', call);
  const source = backend.pointer(x);
  const shape = [...x.shape.slice(0, -1), k];
  const { pointer: values, ...largest } = backend.allocate(shape);
  const { pointer: indices, ...places } = backend.allocate(shape, 'int32');
  const { rows, length, chunk: cheap } = rowsOf(x);
  // Sorting a value costs as much as many simple operations.
  const chunk = Math.ceil(cheap / 16);
  const scratch = backend.heap.allocate(backend.pool.threads * 4 * (4 * length + COUNTS));
  try {
    const fields = { x: source, values, indices, rows, length, k, scratch, chunk };
    backend.pool.run(Math.ceil(rows / chunk), 'topK', fields);
  } finally {
    backend.heap.free(scratch);
  }
  return [largest, places];
});

export const reductionKernels: readonly EngineKernel[] = [
  reduction('Sum', 'sum', numbers),
  reduction('Mean', 'sum', ['float32'], true),
  reduction('Prod', 'product', ['float32']),
  reduction('Max', 'maximum', numbers),
  reduction('Min', 'minimum', numbers),
  reduction('All', 'minimum', ['bool']),
  reduction('Any', 'maximum', ['bool']),
  arg('ArgMax', 0),
  arg('ArgMin', 1),
  softmax,
  cumsum,
  topK,
];
