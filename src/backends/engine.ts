import * as tf from '@tensorflow/tfjs-core';
import { ENGINE, engineInfo, registerEngine } from '../engine/index.ts';

/** Starts Equipoise's own backend, and says on how many threads and with which build of its kernels. */
export async function startEngine({ threads }: { readonly threads?: number } = {}): Promise<string> {
  await registerEngine(threads === undefined ? {} : { threads });
  await tf.setBackend(ENGINE);
  const info = engineInfo();
  return info === null ? '' : `${info.threads} thread${info.threads === 1 ? '' : 's'}, WebAssembly build ${info.build}`;
}
