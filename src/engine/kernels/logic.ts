// The kernels of comparisons, logical ops, `where` and casts.
import type { DataType, TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { HeapType } from '../backend.ts';
import { CHUNK, chunks, type EngineKernel, engineKernel, reference } from './kernel.ts';

type Inputs = { readonly condition: TensorInfo; readonly t: TensorInfo; readonly e: TensorInfo };

const sameShape = (a: TensorInfo, b: TensorInfo): boolean =>
  a.shape.length === b.shape.length && a.shape.every((size, i) => size === b.shape[i]);

/** t where the condition is true, else e. */
const select = engineKernel<Inputs>('Select', (call) => {
  const { condition, t, e } = call.inputs;
  const { dtype } = t;
  const ours = condition.dtype === 'bool' && (dtype === 'float32' || dtype === 'int32') && dtype === e.dtype;
  if (!ours || !sameShape(condition, t) || !sameShape(t, e)) return reference('Select', call);
  const { backend } = call;
  const length = sizeOf(t.shape);
  const [where, yes, no] = [backend.pointer(condition), backend.pointer(t), backend.pointer(e)];
  const { pointer, ...y } = backend.allocate(t.shape, dtype);
  const fields = { condition: where, t: yes, e: no, y: pointer, length, chunk: CHUNK };
  backend.pool.run(chunks(length), 'select', fields);
  return y;
});

const logical = ['LogicalAnd', 'LogicalOr'].map((name, operation) =>
  engineKernel<{ a: TensorInfo; b: TensorInfo }>(name, (call) => {
    const { a, b } = call.inputs;
    if (a.dtype !== 'bool' || b.dtype !== 'bool' || !sameShape(a, b)) return reference(name, call);
    const { backend } = call;
    const length = sizeOf(a.shape);
    const [left, right] = [backend.pointer(a), backend.pointer(b)];
    const { pointer, ...y } = backend.allocate(a.shape, 'bool');
    backend.pool.run(chunks(length), 'logical', { operation, a: left, b: right, y: pointer, length, chunk: CHUNK });
    return y;
  }),
);

const logicalNot = engineKernel<{ x: TensorInfo }>('LogicalNot', (call) => {
  const { x } = call.inputs;
  if (x.dtype !== 'bool') return reference('LogicalNot', call);
  const { backend } = call;
  const length = sizeOf(x.shape);
  const a = backend.pointer(x);
  const { pointer, ...y } = backend.allocate(x.shape, 'bool');
  backend.pool.run(chunks(length), 'logical', { operation: 2, a, b: a, y: pointer, length, chunk: CHUNK });
  return y;
});

/** The conversions of the kernel `cast`. */
const CONVERSIONS: Readonly<Record<string, number>> = {
  'float32 int32': 0,
  'int32 float32': 1,
  'bool float32': 2,
  'bool int32': 3,
  'float32 bool': 4,
  'int32 bool': 5,
};

const cast = engineKernel<{ x: TensorInfo }, { dtype: DataType }>('Cast', (call) => {
  const { x } = call.inputs;
  const { dtype } = call.attrs;
  const operation = CONVERSIONS[`${x.dtype} ${dtype}`];
  if (operation === undefined) return reference('Cast', call);
  const { backend } = call;
  const length = sizeOf(x.shape);
  const source = backend.pointer(x);
  const { pointer, ...y } = backend.allocate(x.shape, dtype as HeapType);
  backend.pool.run(chunks(length), 'cast', { operation, x: source, y: pointer, length, chunk: CHUNK });
  return y;
});

export const logicKernels: readonly EngineKernel[] = [select, ...logical, logicalNot, cast];
