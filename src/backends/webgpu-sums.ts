// Adds sums of many tensors to tfjs-backend-webgpu.
import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

interface WebgpuBackend {
  readonly device: { readonly limits: { readonly maxStorageBuffersPerShaderStage: number } };
  disposeData(id: object): boolean;
}

/** Tells our kernel from the original. */
const marked = () => {};

/**
 * tfjs-backend-webgpu 4.22 sums any number of tensors in one shader, which takes no more than some 8 buffers. Lets the
 * backend `webgpu` sum more of them in turns.
 */
export function supplyLongSums(): void {
  const original = tf.getKernel('AddN', 'webgpu');
  if (original === undefined || original.setupFunc === marked) return;
  tf.unregisterKernel('AddN', 'webgpu');
  tf.registerKernel({ ...original, setupFunc: marked, kernelFunc: inTurns(original.kernelFunc) });
}

const inTurns =
  (sumOf: KernelFunc): KernelFunc =>
  (call) => {
    const backend = call.backend as unknown as WebgpuBackend;
    const most = backend.device.limits.maxStorageBuffersPerShaderStage - 1; // one is the sum's
    const terms = call.inputs as unknown as readonly TensorInfo[];
    const sum = (inputs: readonly TensorInfo[]) =>
      sumOf({ ...call, inputs: inputs as unknown as typeof call.inputs }) as TensorInfo;
    let total = sum(terms.slice(0, most));
    for (let next = most; next < terms.length; next += most - 1) {
      const before = total;
      total = sum([before, ...terms.slice(next, next + most - 1)]);
      backend.disposeData(before.dataId);
    }
    return total;
  };
