import * as tf from '@tensorflow/tfjs-core';
import { ENGINE, type EngineOptions, engineInfo, registerEngine } from '../engine/index.ts';

/** Starts Equipoise's own backend, and says on how many threads and with which build of its kernels. */
export async function startEngine(
  options: Pick<EngineOptions, 'threads' | 'revectorize' | 'warn'> = {},
): Promise<string> {
  const { threads, revectorize, warn } = options;
  await registerEngine({ threads, revectorize, warn });
  await tf.setBackend(ENGINE);
  const info = engineInfo();
  return info === null ? '' : `${info.threads} thread${info.threads === 1 ? '' : 's'}, WebAssembly build ${info.build}`;
}
