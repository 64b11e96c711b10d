import * as tf from '@tensorflow/tfjs-core';
import { relu } from './elementwise.ts';
import type { EngineKernel } from './kernel.ts';

const KERNELS: readonly EngineKernel[] = [relu];

/** Registers our kernels over the reference ones that the backend started with. */
export function registerKernels(backendName: string): void {
  for (const { kernelName, kernelFunc } of KERNELS) {
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ kernelName, backendName, kernelFunc });
  }
}
