import { availableParallelism } from 'node:os';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { EngineBackend } from './backend.ts';
import { MAX_THREADS } from './control.ts';
import { Heap } from './heap.ts';
import { registerKernels } from './kernels/index.ts';
import { Pool } from './pool.ts';
import { bestBuild, type KernelBuild, loadKernels } from './wasm.ts';

export type { KernelBuild } from './wasm.ts';

/** The backend's name, for `tf.setBackend`. */
export const ENGINE = 'equipoise';
/** Above the backends that tfjs brings: who registers the engine wants it. */
const PRIORITY = 10;

export interface EngineOptions {
  /** Threads that run kernels, the main one among them; the number of processors (at most 64) by default. */
  readonly threads?: number;
  /** The build of the kernels; the best that the runtime can run by default. Results depend on it. */
  readonly build?: KernelBuild;
}

export interface EngineInfo {
  readonly threads: number;
  readonly build: KernelBuild;
  /** Bytes of the shared heap in use: tensors, saved activations, kernels' copies of structures. */
  readonly bytes: number;
}

const registered = (): EngineBackend | null => tf.findBackend(ENGINE) as EngineBackend | null;

/**
 * Registers the TensorFlow.js backend `'equipoise'` and starts its worker threads; `await tf.setBackend('equipoise')`
 * then uses it. Calling it again changes the number of threads, or does nothing. Workers do not keep a process alive.
 */
export async function registerEngine(options: EngineOptions = {}): Promise<void> {
  const { threads = Math.min(availableParallelism(), MAX_THREADS), build = bestBuild() } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new InputError(`The engine takes 1 to ${MAX_THREADS} threads; ${threads} came.`);
  }
  const existing = registered();
  if (existing?.pool.usable && existing.pool.threads === threads && existing.build === build) return;
  if (existing) await existing.pool.stopped();
  const heap = existing?.heap ?? new Heap();
  const pool = await Pool.start({ heap, threads, module: await loadKernels(build) });
  if (existing) {
    existing.pool = pool;
    existing.build = build;
    return;
  }
  tf.registerBackend(ENGINE, () => new EngineBackend(heap, pool, build), PRIORITY);
  tf.copyRegisteredKernels('cpu', ENGINE);
  registerKernels(ENGINE);
}

/** What the registered engine runs on; null where none is registered. */
export function engineInfo(): EngineInfo | null {
  const engine = registered();
  return engine && { threads: engine.pool.threads, build: engine.build, bytes: engine.heap.used };
}
