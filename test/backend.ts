// Chooses the backend that tests run on.
import { env } from 'node:process';
// Some suites make models before any backend is started.
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { startBackend } from '../src/backends/start.ts';
import type { BackendName } from '../src/ops/backend-names.ts';

/**
 * Starts the backend that suites for every backend run on: the one that EQUIPOISE_TEST_BACKEND names, else `usual`; on
 * EQUIPOISE_TEST_THREADS threads, else 1.
 */
export async function useBackend(usual: BackendName): Promise<void> {
  await startBackend(env.EQUIPOISE_TEST_BACKEND ?? usual, { threads: Number(env.EQUIPOISE_TEST_THREADS ?? 1) });
}

/** The backends whose sums have an order of their own, whatever the batch and the scale, by the names that TensorFlow.js has for them. */
export const OURS: readonly string[] = ['cpu', 'equipoise'];

/** Skips a test of exact bits on other backends: their kernels may round or flush small numbers in ways of their own. */
export function skipUnlessExact(test: Mocha.Context): void {
  if (!OURS.includes(tf.getBackend())) test.skip();
}

/**
 * Expects pixels that differ in nothing but the batch that they were computed in: equal on the backends that add in an
 * order of their own, whatever the batch, and within rounding, which attacks magnify, on others.
 */
export function expectSamePixels(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  if (OURS.includes(tf.getBackend())) {
    expect(Array.from(actual)).to.deep.equal(Array.from(expected));
    return;
  }
  expect(actual.length).to.equal(expected.length);
  for (let i = 0; i < actual.length; i++) expect(actual[i]).to.be.closeTo(expected[i], 5e-4);
}
