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
  'Sigmoid',
  'LeakyRelu',
] as const;

interface Attributes {
  /** Step: the value where x ≤ 0; LeakyRelu: the slope there. */
  readonly alpha?: number;
  readonly clipValueMin?: number;
  readonly clipValueMax?: number;
}

/** y = f(x) of float32 tensors; NaN comes out where the reference kernel has it. */
const unary = (
  name: string,
  operation: number,
  bounds?: { readonly low: number; readonly high: number },
): EngineKernel =>
  engineKernel<{ x: TensorInfo }, Attributes>(name, (call) => {
    const { x } = call.inputs;
    if (x.dtype !== 'float32') return reference(name, call);
    const { backend } = call;
    const { alpha = 0, clipValueMin = alpha, clipValueMax = 0 } = { ...call.attrs };
    const { low, high } = bounds ?? { low: clipValueMin, high: clipValueMax };
    const length = sizeOf(x.shape);
    const source = backend.pointer(x);
    const { pointer, ...y } = backend.allocate(x.shape);
    const fields = { operation, x: source, y: pointer, length, chunk: CHUNK, low, high };
    backend.pool.run(chunks(length), 'unary', fields);
    return y;
  });

export const unaryKernels: readonly EngineKernel[] = [
  ...OPERATIONS.map((name, operation) => unary(name, operation)),
  unary('Relu6', OPERATIONS.indexOf('ClipByValue'), { low: 0, high: 6 }),
];
