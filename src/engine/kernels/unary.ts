import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { CHUNK, chunks, type EngineKernel, engineKernel, reference } from './kernel.ts';

/** The operations of the kernel `unary`, in the order of their numbers. */
const OPERATIONS = [
  'Neg',
  'Abs',
  'Sign',
  'Sqrt',
  'Rsqrt',
  'Square',
  'Reciprocal',
  'Exp',
  'Log',
  'Step',
  'ClipByValue',
] as const;

interface Attributes {
  /** Step: the value where x ≤ 0. */
  readonly alpha?: number;
  readonly clipValueMin?: number;
  readonly clipValueMax?: number;
}

/** y = f(x) of float32 tensors; NaN comes out where the reference kernel has it. */
export const unaryKernels: readonly EngineKernel[] = OPERATIONS.map((name, operation) =>
  engineKernel<{ x: TensorInfo }, Attributes>(name, (call) => {
    const { x } = call.inputs;
    if (x.dtype !== 'float32') return reference(name, call);
    const { backend } = call;
    const { alpha = 0, clipValueMin = alpha, clipValueMax = 0 } = { ...call.attrs };
    const length = sizeOf(x.shape);
    const source = backend.pointer(x);
    const { pointer, ...y } = backend.allocate(x.shape);
    backend.pool.run(chunks(length), 'unary', {
      operation,
      x: source,
      y: pointer,
      length,
      chunk: CHUNK,
      low: clipValueMin,
      high: clipValueMax,
    });
    return y;
  }),
);
