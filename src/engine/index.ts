// The entry `equipoise/engine`: registers the backend and says what it runs on.
import { availableParallelism } from 'node:os';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { EngineBackend } from './backend.ts';
import { registerKernels } from './kernels/index.ts';
import { MAX_THREADS } from './runtime/control.ts';
import { Heap } from './runtime/heap.ts';
import { Pool } from './runtime/pool.ts';
import { whyNotRevectorized } from './runtime/revectorize.ts';
import { BUILDS, bestBuild, type KernelBuild, loadKernels } from './runtime/wasm.ts';

export type { KernelBuild } from './runtime/wasm.ts';

/** The backend's name, for `tf.setBackend`. */
export const ENGINE = 'equipoise';
/** Above the backends that tfjs brings: who registers the engine wants it. */
const PRIORITY = 10;

/** What the engine runs on; an option that is left out keeps its value. */
export interface EngineOptions {
  /**
   * Threads that run kernels, the main one among them; by default as many as the engine that is registered already has, else
   * the number of processors (at most 64).
   */
  readonly threads?: number;
  /**
   * The build of the kernels; by default that of the engine that is registered already, else the best that every runtime
   * of this version can run. Results depend on it.
   */
  readonly build?: KernelBuild;
  /**
   * Take the build `relaxed-revec`, made for V8's experimental flag `--experimental-wasm-revectorize`, if a short trial in
   * a process of its own computes the same with it, and faster. In place of `build`.
   */
  readonly revectorize?: boolean;
  /** Called with the reason if `revectorize` has no effect; default console.warn. */
  readonly warn?: (message: string) => void;
}

/** What the registered engine runs on, and the memory that it uses. */
export interface EngineInfo {
  readonly threads: number;
  readonly build: KernelBuild;
  /** Bytes of the shared heap in use: tensors, saved activations, kernels' copies of structures. */
  readonly bytes: number;
}

const registered = (): EngineBackend | null => tf.findBackend(ENGINE) as EngineBackend | null;

/** The last registration: they run one after another, for two pools must never share a heap's control words. */
let last: Promise<void> = Promise.resolve();

/**
 * Registers the TensorFlow.js backend `'equipoise'` and starts its worker threads; `await tf.setBackend('equipoise')`
 * then uses it. Calling it again changes the number of threads or the build, or starts new workers in place of dead ones;
 * what is not given stays. Workers do not keep a process alive; `tf.removeBackend('equipoise')` ends them.
 */
export function registerEngine(options: EngineOptions = {}): Promise<void> {
  const registration = last.then(() => register(options));
  last = registration.catch(() => {});
  return registration;
}

async function register(options: EngineOptions): Promise<void> {
  const existing = registered();
  const { threads = existing?.pool.threads ?? Math.min(availableParallelism(), MAX_THREADS) } = options;
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new InputError(`The engine takes 1 to ${MAX_THREADS} threads, got ${threads}.`);
  }
  if (options.build !== undefined && !BUILDS.includes(options.build)) {
    throw new InputError(`The build of the engine must be one of ${BUILDS.join(', ')}, got ${options.build}.`);
  }
  const build = await chosenBuild(options, existing?.build);
  if (existing?.pool.usable && existing.pool.threads === threads && existing.build === build) return;
  const module = await loadKernels(build);
  if (existing) {
    await existing.pool.stopped();
    existing.pool = await Pool.start({ heap: existing.heap, threads, module });
    existing.build = build;
    return;
  }
  const heap = new Heap();
  const pool = await Pool.start({ heap, threads, module });
  tf.registerBackend(ENGINE, () => new EngineBackend(heap, pool, build), PRIORITY);
  // Of a backend that was removed, kernels stay behind.
  if (tf.getKernelsForBackend(ENGINE).length > 0) return;
  tf.copyRegisteredKernels('cpu', ENGINE);
  registerKernels(ENGINE);
}

/** The build that is asked for, or that the trial in another process allows. */
async function chosenBuild(
  { build, revectorize = false, warn = console.warn }: EngineOptions,
  existing: KernelBuild | undefined,
): Promise<KernelBuild> {
  if (build !== undefined || !revectorize || existing === 'relaxed-revec') return build ?? existing ?? bestBuild();
  const reason = await whyNotRevectorized();
  if (reason === null) return 'relaxed-revec';
  const ordinary = existing ?? bestBuild();
  warn(`The engine runs its build ${ordinary}, not relaxed-revec as asked for: ${reason}.`);
  return ordinary;
}

/** What the registered engine runs on; null if none is registered. */
export function engineInfo(): EngineInfo | null {
  const engine = registered();
  return engine && { threads: engine.pool.threads, build: engine.build, bytes: engine.heap.used };
}
