// The kernels of elementwise ops of one tensor, and the activations of fused ops.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend } from '../backend.ts';
import { commonForm, mapBlocks } from './in-blocks.ts';
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
  'Elu',
  'Selu',
  'Tanh',
  'Softplus',
  'Floor',
  'Ceil',
  'Round',
] as const;

type Operation = (typeof OPERATIONS)[number];

interface Bounds {
  readonly low: number;
  readonly high: number;
}

const NONE: Bounds = { low: 0, high: 0 };
const RELU6: Bounds = { low: 0, high: 6 };

const MOVES_ZERO: ReadonlySet<Operation> = new Set(['Rsqrt', 'Reciprocal', 'Exp', 'Log', 'Sigmoid', 'Softplus']);

/** True if f(0) = 0, as the zeros in blocks ask for. */
function keepsZero(operation: Operation, { low, high }: Bounds): boolean {
  if (operation === 'Step') return low === 0;
  if (operation === 'ClipByValue') return low <= 0 && high >= 0;
  return !MOVES_ZERO.has(operation);
}

interface Attributes {
  /** Step: the value where x ≤ 0; LeakyRelu: the slope there. */
  readonly alpha?: number;
  readonly clipValueMin?: number;
  readonly clipValueMax?: number;
}

/** Applies an operation to `length` values from the address x, and writes them to the address y, which may be the same. */
function apply(
  { pool }: EngineBackend,
  operation: Operation,
  x: number,
  y: number,
  length: number,
  bounds: Bounds,
): void {
  const fields = { operation: OPERATIONS.indexOf(operation), x, y, length, chunk: CHUNK, ...bounds };
  pool.run(chunks(length), 'unary', fields);
}

/** y = f(x) of float32 tensors; NaN comes out where the reference kernel has it. */
const unary = (name: string, operation: Operation, bounds?: Bounds): EngineKernel =>
  engineKernel<{ x: TensorInfo }, Attributes>(name, (call) => {
    const { x } = call.inputs;
    if (x.dtype !== 'float32') return reference(name, call);
    const { backend } = call;
    const { alpha = 0, clipValueMin = alpha, clipValueMax = 0 } = { ...call.attrs };
    const limits = bounds ?? { low: clipValueMin, high: clipValueMax };
    const form = keepsZero(operation, limits) ? commonForm(backend, [x]) : undefined;
    if (form) {
      return mapBlocks(backend, [x], form, ([from], y, length) => apply(backend, operation, from, y, length, limits));
    }
    const source = backend.pointer(x);
    return backend.make(x.shape, (y) => apply(backend, operation, source, y, sizeOf(x.shape), limits));
  });

export const unaryKernels: readonly EngineKernel[] = [
  ...OPERATIONS.map((name) => unary(name, name)),
  unary('Relu6', 'ClipByValue', RELU6),
];

/** Applies an activation in place to `length` values. */
export type Activate = (backend: EngineBackend, values: number, length: number) => void;

const inPlace =
  (operation: Operation, bounds = NONE): Activate =>
  (backend, values, length) =>
    apply(backend, operation, values, values, length, bounds);

/**
 * What remains of a fused op's activation after a product that can take the ReLU; undefined for those that have no kernel.
 */
export function activated(activation: string, slope = 0.2): Activate | undefined {
  const activations: Readonly<Record<string, Activate>> = {
    linear: () => {},
    relu: () => {},
    relu6: inPlace('ClipByValue', RELU6),
    elu: inPlace('Elu'),
    sigmoid: inPlace('Sigmoid'),
    leakyrelu: inPlace('LeakyRelu', { low: slope, high: 0 }),
  };
  return activations[activation];
}
