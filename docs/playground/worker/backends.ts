// The backends of TensorFlow.js in a worker of a page that may be a file: which there are, and what is mended of them.

import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import '@tensorflow/tfjs-backend-webgpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
// biome-ignore lint/style/noRestrictedImports: a file for the bundle, which the package does not export
import wasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { borrowKernels } from './borrowed-kernels.ts';
import { BACKENDS, type BackendName } from './protocol.ts';

// The page is one file that also opens without a server, so its WebAssembly is part of it. Every browser that runs the
// rest has SIMD; threads would need headers that a file has not.
tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
setWasmPaths({
  'tfjs-backend-wasm.wasm': wasm,
  'tfjs-backend-wasm-simd.wasm': wasm,
  'tfjs-backend-wasm-threaded-simd.wasm': wasm,
});

/**
 * The WebAssembly backend's gradient of max pooling (4.22) is 0 at windows whose largest value is below 0. It only depends
 * on which value is the largest, so the kernel gets the values moved above 0.
 */
function mendMaxPoolGrad(): void {
  const kernel = tf.getKernel(tf.MaxPoolGrad, 'wasm');
  tf.unregisterKernel(tf.MaxPoolGrad, 'wasm');
  tf.registerKernel({
    ...kernel,
    kernelFunc: (call) => {
      const input = call.inputs.input as Tensor;
      const above = tf.tidy(() => tf.add(tf.sub(input, tf.min(input)), 1));
      try {
        return kernel.kernelFunc({ ...call, inputs: { ...call.inputs, input: above } });
      } finally {
        above.dispose();
      }
    },
  });
}
mendMaxPoolGrad();
// Models of all kinds must run on every backend that reads its values at once.
borrowKernels('wasm');
borrowKernels('webgl');

/** What a browser with WebGPU has; null where it has no graphics card for it. */
interface WithGpu {
  readonly gpu?: { requestAdapter(): Promise<object | null> };
}

/** The backends that this browser may run; starting one can fail all the same. */
export async function availableBackends(): Promise<readonly BackendName[]> {
  const adapter = await (navigator as WithGpu).gpu?.requestAdapter().catch(() => null);
  return BACKENDS.filter((name) => name !== 'webgpu' || adapter);
}

/**
 * Makes this backend the current one.
 *
 * @throws Error if the browser cannot run it
 */
export async function startBackend(name: BackendName): Promise<void> {
  if (await tf.setBackend(name).catch(() => false)) return;
  throw new Error(`This browser does not run the backend ${name}. Choose another one.`);
}

/** What to know of the current backend's arithmetic; empty where it is plain single precision. */
export const precisionNote = (): string =>
  tf.getBackend() === 'webgl' && !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')
    ? 'This graphics card computes in 16 bits: small gradients vanish, so attacks are weaker than elsewhere.'
    : '';
