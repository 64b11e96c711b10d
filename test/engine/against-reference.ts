// Compares single ops of the engine with the reference backend on random tensors.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import type { EngineBackend } from '../../src/engine/backend.ts';
import { ENGINE } from '../../src/engine/index.ts';

export type Type = 'float32' | 'int32' | 'bool';
type Values = Float32Array | Int32Array | Uint8Array;

/** A tensor in plain memory, to be made on any backend. */
export interface Plain {
  readonly shape: readonly number[];
  readonly dtype: Type;
  readonly values: Values;
}

// biome-ignore format: one kind a line
const SPECIAL = [
  0, -0, 1, -1, 2, -2, 0.5,
  Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY,
  1e-45, -1e-45, 1e-40, 1.1754943508222875e-38,
  3.4028234663852886e38, -3.4028234663852886e38, 2147483648, -2147483648, 4294967297, 1e19,
];

/** What the values of a tensor are drawn from. */
export type Range = 'any' | 'moderate' | 'positive';

/** Numbers by a linear congruential generator, a few of them special. */
function numbers(count: number, seed: number, range: Range): Float32Array {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => {
    if (range === 'any' && next() < 0.2) return SPECIAL[Math.floor(next() * SPECIAL.length)];
    const value = next() < 0.3 ? Math.floor(next() * 9) - 4 : (next() - 0.5) * 10;
    return range === 'positive' ? Math.abs(value) + 0.1 : value;
  });
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, n) => size * n, 1);

export function plain(shape: readonly number[], dtype: Type, seed: number, range: Range = 'any'): Plain {
  const floats = numbers(sizeOf(shape), seed, range);
  if (dtype === 'float32') return { shape, dtype, values: floats };
  if (dtype === 'int32')
    return { shape, dtype, values: Int32Array.from(floats, (x) => Math.max(-1e9, Math.min(1e9, x)) || 0) };
  return { shape, dtype, values: Uint8Array.from(floats, (x) => (x > 0 ? 1 : 0)) };
}

/** Shapes of up to four dimensions: mostly small and odd, now and then several chunks of a kernel long. */
export const shapes: fc.Arbitrary<number[]> = fc.oneof(
  { weight: 8, arbitrary: fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 4 }) },
  { weight: 2, arbitrary: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 0, max: 70 })) },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 3, max: 4 }), fc.integer({ min: 9000, max: 12_000 })) },
);

/** Two shapes that broadcast to one: some dimensions of either are 1 or, in front, missing. */
export const broadcastShapes: fc.Arbitrary<[number[], number[]]> = shapes.chain((shape) => {
  const operand = fc
    .tuple(fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }), fc.nat(shape.length))
    .map(([ones, missing]) => shape.map((size, i) => (ones[i] ? 1 : size)).slice(missing));
  return fc.oneof(
    fc.constant<[number[], number[]]>([shape, shape]),
    fc.tuple(fc.constant(shape), operand),
    fc.tuple(operand, fc.constant(shape)),
    fc.tuple(operand, operand),
  );
});

export type Op = (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];

const asTensor = ({ shape, dtype, values }: Plain): tf.Tensor => tf.tensor(values.slice(), [...shape], dtype);

/** The op's results on a backend; on the engine each must have been made by a kernel of ours, in the heap. */
export async function results(backend: 'cpu' | typeof ENGINE, op: Op, inputs: readonly Plain[]): Promise<Plain[]> {
  await tf.setBackend(backend);
  return tf.tidy(() => {
    const outputs = [op(...inputs.map(asTensor))].flat();
    return outputs.map((y) => {
      if (backend === ENGINE) {
        const data = (tf.backend() as EngineBackend).data.get(y.dataId) as { pointer?: number };
        expect(data.pointer, 'a kernel of the engine made the result').to.not.equal(undefined);
      }
      return { shape: y.shape, dtype: y.dtype as Type, values: y.dataSync().slice() as Values };
    });
  });
}

const bits = new Int32Array(1);
const float = new Float32Array(bits.buffer);

/** A float's place in the order of all floats. */
function place(x: number): number {
  float[0] = x;
  return bits[0] < 0 ? -(bits[0] & 0x7fffffff) : bits[0];
}

/** How many floats lie between two, and one more; 0 for equal ones and for two NaNs. */
export function ulps(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  return Number.isNaN(a) || Number.isNaN(b) ? Number.POSITIVE_INFINITY : Math.abs(place(a) - place(b));
}

/** Throws unless the values agree to `tolerance` units in the last place, 0 and −0 being equal. */
export function expectClose(ours: Plain, reference: Plain, tolerance: number): void {
  expect({ shape: ours.shape, dtype: ours.dtype }).to.deep.equal({ shape: reference.shape, dtype: reference.dtype });
  expect(ours.values.length).to.equal(reference.values.length);
  for (let i = 0; i < ours.values.length; i++) {
    const [y, expected] = [ours.values[i], reference.values[i]];
    if (ulps(y, expected) > tolerance) {
      expect.fail(`[${reference.shape}] at ${i}: ${y} instead of ${expected}, ${ulps(y, expected)} units apart`);
    }
  }
}

/** Throws unless the op on the engine agrees with the op on the reference backend. */
export async function expectParity(op: Op, inputs: readonly Plain[], tolerance: number): Promise<void> {
  const expected = await results('cpu', op, inputs);
  const ours = await results(ENGINE, op, inputs);
  ours.forEach((y, i) => {
    expectClose(y, expected[i], tolerance);
  });
}
