// Compares the engine with the reference backend.
import '@tensorflow/tfjs-backend-cpu';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import type { EngineBackend } from '../../src/engine/backend.ts';
import { ENGINE } from '../../src/engine/index.ts';
import '../../src/ops/gradients.ts';

export const key = seedKey('engine kernels');
export const numbers = (name: string, shape: readonly number[]): Float32Array =>
  normal(foldIn(key, name), sizeOf(shape));

/**
 * Frees what the engine keeps of structures. Those of other tests go whenever they are collected: before bytes are compared,
 * they must be gone.
 */
export const forgetStructures = (): void => (tf.findBackend(ENGINE) as EngineBackend).rows.clear();

export type Run = () => Tensor[];

/** What `run` gives on a backend. */
export async function on(backend: 'cpu' | typeof ENGINE, run: Run): Promise<Float32Array[]> {
  await tf.setBackend(backend);
  const results: Float32Array[] = [];
  tf.tidy(() => {
    for (const tensor of run()) results.push(tensor.dataSync() as Float32Array);
  });
  return results;
}

/** Throws unless `run` gives the same on the engine as on the reference backend, to 1e-5 of each result's largest value. */
export async function expectSame(run: Run, tolerance = 1e-5): Promise<void> {
  const expected = await on('cpu', run);
  const actual = await on(ENGINE, run);
  expect(actual.length).to.equal(expected.length);
  actual.forEach((values, which) => {
    expect(values.length).to.equal(expected[which].length);
    const scale = expected[which].reduce(
      (max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max),
      1,
    );
    values.forEach((value, i) => {
      const close = Math.abs(value - expected[which][i]) <= tolerance * scale;
      if (!close && !Object.is(value, expected[which][i])) {
        expect.fail(`result ${which}, value ${i}: ${value} instead of ${expected[which][i]}`);
      }
    });
  });
}

/** A function's value and its gradients at `xs`, for random weights of the value's elements. */
export function withGradients(f: (...xs: Tensor[]) => Tensor, xs: Tensor[]): Tensor[] {
  const y = f(...xs);
  const weights = tf.tensor(numbers('dy', y.shape), y.shape);
  return [y, ...tf.grads((...given: Tensor[]) => tf.sum(tf.mul(f(...given), weights)))(xs)];
}
