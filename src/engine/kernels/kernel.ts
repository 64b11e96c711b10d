// What a TensorFlow.js kernel of the engine is, and how it falls back to the reference kernel.
import type { KernelConfig, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from '../backend.ts';

/** A tfjs kernel of the engine's. */
export type EngineKernel = Omit<KernelConfig, 'backendName'>;

/** What a kernel's function is given, its inputs and attributes typed as tfjs promises them. */
export interface EngineCall<Inputs, Attributes> {
  readonly inputs: Inputs;
  readonly attrs: Attributes;
  readonly backend: EngineBackend;
}

/** A kernel of the engine's from a function of typed inputs and attributes. */
export const engineKernel = <Inputs, Attributes = object>(
  kernelName: string,
  run: (call: EngineCall<Inputs, Attributes>) => TensorInfo | TensorInfo[],
): EngineKernel => ({
  kernelName,
  kernelFunc: (call) => {
    const typed = call as unknown as EngineCall<Inputs, Attributes>;
    return typed.backend.undoing(() => run(typed));
  },
});

/** Runs the reference kernel of the same name, for cases that ours does not take. */
export function reference(kernelName: string, call: EngineCall<object, object>): TensorInfo | TensorInfo[] {
  const kernel = tf.getKernel(kernelName, 'cpu');
  return kernel.kernelFunc(call as unknown as Parameters<typeof kernel.kernelFunc>[0]);
}

/** Values that one task of an elementwise kernel takes: large enough to pay for its hand-off. */
export const CHUNK = 16384;
export const chunks = (length: number): number => Math.ceil(length / CHUNK);
