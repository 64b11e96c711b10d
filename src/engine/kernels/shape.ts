// The kernels that copy: slice, concat, transpose, tile, pad, gather and others.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { backend_util, slice_util, util } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend, HeapType } from '../backend.ts';
import { DIMENSIONS, merged, rowMajor, type Walk } from './dimensions.ts';
import { CHUNK, chunks, type EngineKernel, engineKernel, reference } from './kernel.ts';

type SplitTensor = Parameters<typeof backend_util.prepareSplitSize>[0];

// Kernels that move values without changing them. Those that only rename a shape (Reshape, Identity, ExpandDims) are the
// reference's: they copy nothing.

const isHeapType = (dtype: string): dtype is HeapType => dtype === 'float32' || dtype === 'int32' || dtype === 'bool';
const bytesOf = (dtype: HeapType): number => (dtype === 'bool' ? 1 : 4);

/** Copies between a contiguous tensor and one that is walked: from it, or with `placed` into it; both are addresses. */
function copyWalk(
  { pool }: EngineBackend,
  dtype: HeapType,
  [x, y]: readonly [number, number],
  { sizes, strides: [strides] }: Walk,
  placed = false,
): void {
  const length = sizeOf(sizes);
  const [size0, size1, size2, size3, size4, size5] = sizes;
  const [x0, x1, x2, x3, x4, x5] = strides;
  // biome-ignore format: a dimension of each a line
  pool.run(chunks(length), 'copy', {
    size: dtype === 'bool' ? 0 : 2, x, y, length, chunk: CHUNK, placed: Number(placed),
    size0, size1, size2, size3, size4, size5,
    x0, x1, x2, x3, x4, x5,
  });
}

/** A tensor of `shape` whose values are those of `x` on a walk, from the value `offset` on. */
function copied(backend: EngineBackend, x: TensorInfo, shape: readonly number[], walk: Walk, offset = 0): TensorInfo {
  const dtype = x.dtype as HeapType;
  const source = backend.pointer(x) + bytesOf(dtype) * offset;
  const { pointer, ...y } = backend.allocate(shape, dtype);
  copyWalk(backend, dtype, [source, pointer], walk);
  return y;
}

/** x with its dimensions in another order; undefined if the kernel has no room for them. */
export function transposed(backend: EngineBackend, x: TensorInfo, order: readonly number[]): TensorInfo | undefined {
  if (!isHeapType(x.dtype)) return undefined;
  const strides = rowMajor(x.shape);
  const shape = order.map((i) => x.shape[i]);
  const walk = merged({ sizes: shape, strides: [order.map((i) => strides[i])] });
  return walk && copied(backend, x, shape, walk);
}

const transpose = engineKernel<{ x: TensorInfo }, { perm: number[] }>(
  'Transpose',
  (call) => transposed(call.backend, call.inputs.x, call.attrs.perm) ?? reference('Transpose', call),
);

function sliced(backend: EngineBackend, x: TensorInfo, begin: number[], size: number[]): TensorInfo | undefined {
  const strides = rowMajor(x.shape);
  const walk = merged({ sizes: size, strides: [strides] });
  const offset = begin.reduce((sum, first, i) => sum + first * strides[i], 0);
  return walk && copied(backend, x, size, walk, offset);
}

const slice = engineKernel<{ x: TensorInfo }, { begin: number[]; size: number[] }>('Slice', (call) => {
  const { x } = call.inputs;
  if (!isHeapType(x.dtype)) return reference('Slice', call);
  const [begin, size] = slice_util.parseSliceParams(
    x as Parameters<typeof slice_util.parseSliceParams>[0],
    call.attrs.begin,
    call.attrs.size,
  );
  slice_util.assertParamsValid(x as Parameters<typeof slice_util.assertParamsValid>[0], begin, size);
  return sliced(call.backend, x, begin, size) ?? reference('Slice', call);
});

const unpack = engineKernel<{ value: TensorInfo }, { axis: number }>('Unpack', (call) => {
  const { value } = call.inputs;
  if (!isHeapType(value.dtype) || value.shape.length > DIMENSIONS) return reference('Unpack', call);
  const [axis] = util.parseAxisParam(call.attrs.axis, value.shape);
  const size = value.shape.map((n, i) => (i === axis ? 1 : n));
  return Array.from({ length: value.shape[axis] }, (_, at) => {
    const begin = value.shape.map((_, i) => (i === axis ? at : 0));
    const part = sliced(call.backend, value, begin, size) as TensorInfo;
    return { ...part, shape: value.shape.filter((_, i) => i !== axis) };
  });
});

const split = engineKernel<{ x: TensorInfo }, { numOrSizeSplits: number[] | number; axis: number }>(
  'SplitV',
  (call) => {
    const { x } = call.inputs;
    if (!isHeapType(x.dtype) || x.shape.length > DIMENSIONS) return reference('SplitV', call);
    const [axis] = util.parseAxisParam(call.attrs.axis, x.shape);
    const sizes = backend_util.prepareSplitSize(x as SplitTensor, call.attrs.numOrSizeSplits, axis);
    let first = 0;
    return sizes.map((n) => {
      const begin = x.shape.map((_, i) => (i === axis ? first : 0));
      first += n;
      const size = x.shape.map((all, i) => (i === axis ? n : all));
      return sliced(call.backend, x, begin, size) as TensorInfo;
    });
  },
);

/** A dimension repeated r times is two: r steps of no distance, then the dimension. */
const tile = engineKernel<{ x: TensorInfo }, { reps: number[] }>('Tile', (call) => {
  const { x } = call.inputs;
  const { reps } = call.attrs;
  const strides = rowMajor(x.shape);
  const walk = merged({
    sizes: x.shape.flatMap((size, i) => [reps[i], size]),
    strides: [strides.flatMap((stride, i) => [0, x.shape[i] === 1 ? 0 : stride])],
  });
  if (!isHeapType(x.dtype) || !walk) return reference('Tile', call);
  const shape = x.shape.map((size, i) => size * reps[i]);
  return copied(call.backend, x, shape, walk);
});

/** The tensors, of one type and equal but for `axis`, one after the other along it. */
function concatenated(backend: EngineBackend, tensors: readonly TensorInfo[], axis: number): TensorInfo {
  const shape = backend_util.computeOutShape(
    tensors.map((x) => x.shape),
    axis,
  );
  const dtype = tensors[0].dtype as HeapType;
  const sources = tensors.map((x) => [backend.pointer(x), sizeOf(x.shape.slice(axis))] as const);
  const { pointer, ...y } = backend.allocate(shape, dtype);
  const rows = sizeOf(shape.slice(0, axis));
  const row = sizeOf(shape.slice(axis));
  let target = pointer;
  for (const [source, width] of sources) {
    const walk = merged({ sizes: [rows, width], strides: [[row, 1]] }) as Walk;
    copyWalk(backend, dtype, [source, target], walk, true);
    target += bytesOf(dtype) * width;
  }
  return y;
}

const concat = engineKernel<TensorInfo[], { axis: number }>('Concat', (call) => {
  const tensors = Object.values(call.inputs);
  const { dtype, shape } = tensors[0];
  if (!isHeapType(dtype) || tensors.some((x) => x.dtype !== dtype)) return reference('Concat', call);
  const [axis] = util.parseAxisParam(call.attrs.axis, shape);
  backend_util.assertParamsConsistent(
    tensors.map((x) => x.shape),
    axis,
  );
  return concatenated(call.backend, tensors, axis);
});

const pack = engineKernel<TensorInfo[], { axis: number }>('Pack', (call) => {
  const tensors = Object.values(call.inputs);
  const { dtype, shape } = tensors[0];
  // Of the result, which has a dimension more.
  const [axis] = util.parseAxisParam(call.attrs.axis, [...shape, 1]);
  const alike = tensors.every((x) => x.dtype === dtype && x.shape.join() === shape.join());
  if (!isHeapType(dtype) || !alike) return reference('Pack', call);
  const one = [...shape.slice(0, axis), 1, ...shape.slice(axis)];
  return concatenated(
    call.backend,
    tensors.map((x) => ({ ...x, shape: one })),
    axis,
  );
});

interface GatherInputs {
  readonly x: TensorInfo;
  readonly indices: TensorInfo;
}

const gather = engineKernel<GatherInputs, { axis: number; batchDims?: number }>('GatherV2', (call) => {
  const { inputs, attrs, backend } = call;
  const { x, indices } = inputs;
  if (!isHeapType(x.dtype) || indices.dtype !== 'int32' || attrs.batchDims) return reference('GatherV2', call);
  const [axis] = util.parseAxisParam(attrs.axis, x.shape);
  const length = x.shape[axis];
  const pointer = backend.pointer(indices);
  const count = sizeOf(indices.shape);
  for (const index of backend.heap.int32(pointer, count)) {
    util.assert(index >= 0 && index < length, () => `GatherV2: the index value ${index} is not in [0, ${length - 1}]`);
  }
  const source = backend.pointer(x);
  const outer = sizeOf(x.shape.slice(0, axis));
  const bytes = bytesOf(x.dtype) * sizeOf(x.shape.slice(axis + 1));
  const y = backend.allocate([...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)], x.dtype);
  const chunk = Math.max(1, Math.floor((4 * CHUNK) / bytes));
  const fields = { x: source, indices: pointer, y: y.pointer, outer, length, count, bytes, chunk };
  backend.pool.run(bytes === 0 ? 0 : Math.ceil((outer * count) / chunk), 'gather', fields);
  return { dataId: y.dataId, shape: y.shape, dtype: y.dtype };
});

/** A tensor of one value. */
function filled(backend: EngineBackend, shape: readonly number[], dtype: HeapType, value: number): TensorInfo {
  const { pointer, ...y } = backend.allocate(shape, dtype);
  const length = sizeOf(shape);
  if (dtype === 'bool') backend.heap.uint8(pointer, length).fill(value);
  else if (dtype === 'int32') backend.heap.int32(pointer, length).fill(value);
  else backend.heap.float32(pointer, length).fill(value);
  return y;
}

interface PadAttributes {
  readonly paddings: [number, number][];
  readonly constantValue: number;
}

const pad = engineKernel<{ x: TensorInfo }, PadAttributes>('PadV2', (call) => {
  const { inputs, attrs, backend } = call;
  const { x } = inputs;
  const { paddings, constantValue } = attrs;
  const shape = x.shape.map((size, i) => paddings[i][0] + size + paddings[i][1]);
  const strides = rowMajor(shape);
  const walk = merged({ sizes: x.shape, strides: [strides] });
  if (!isHeapType(x.dtype) || !walk) return reference('PadV2', call);
  const source = backend.pointer(x);
  const y = filled(backend, shape, x.dtype, constantValue);
  const first = paddings.reduce((sum, [before], i) => sum + before * strides[i], 0);
  copyWalk(backend, x.dtype, [source, backend.pointer(y) + bytesOf(x.dtype) * first], walk, true);
  return y;
});

interface FillAttributes {
  readonly shape: number[];
  readonly value: number | string;
  readonly dtype?: string;
}

const fill = engineKernel<object, FillAttributes>('Fill', (call) => {
  const { shape, value, dtype = 'float32' } = call.attrs;
  if (typeof value !== 'number' || !isHeapType(dtype)) return reference('Fill', call);
  return filled(call.backend, shape, dtype, value);
});

const like = (['ZerosLike', 'OnesLike'] as const).map((name, value) =>
  engineKernel<{ x: TensorInfo }>(name, (call) => {
    const { x } = call.inputs;
    return isHeapType(x.dtype) ? filled(call.backend, x.shape, x.dtype, value) : reference(name, call);
  }),
);

interface OneHotAttributes {
  readonly depth: number;
  readonly onValue: number;
  readonly offValue: number;
  readonly dtype: string;
}

const oneHot = engineKernel<{ indices: TensorInfo }, OneHotAttributes>('OneHot', (call) => {
  const { indices } = call.inputs;
  const { depth, onValue, offValue, dtype } = call.attrs;
  if (indices.dtype !== 'int32' || (dtype !== 'float32' && dtype !== 'int32')) return reference('OneHot', call);
  const { backend } = call;
  const classes = backend.heap.int32(backend.pointer(indices), sizeOf(indices.shape));
  const { pointer, ...y } = backend.allocate([...indices.shape, depth], dtype);
  const values = backend.heap[dtype](pointer, classes.length * depth);
  values.fill(offValue);
  classes.forEach((at, row) => {
    if (at >= 0 && at < depth) values[row * depth + at] = onValue;
  });
  return y;
});

export const shapeKernels: readonly EngineKernel[] = [
  ...[transpose, slice, unpack, split, tile, concat, pack, gather, pad, fill, ...like, oneHot],
];
