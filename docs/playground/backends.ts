import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-webgl';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
// biome-ignore lint/style/noRestrictedImports: a file for the bundle, which the package does not export
import wasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

export const BACKENDS = ['webgl', 'wasm', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

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

/**
 * Makes this backend the current one.
 *
 * @throws where the browser cannot run it
 */
export async function startBackend(name: BackendName): Promise<void> {
  if (await tf.setBackend(name).catch(() => false)) return;
  throw new Error(`This browser does not run the backend ${name}. Choose another one.`);
}

/** Makes the fastest backend that this browser runs the current one. */
export async function startFastest(): Promise<BackendName> {
  for (const name of BACKENDS) {
    if (
      await startBackend(name).then(
        () => true,
        () => false,
      )
    )
      return name;
  }
  throw new Error('This browser runs none of the backends of TensorFlow.js.');
}

/** What to know of the current backend's arithmetic; empty if it is plain single precision. */
export const precisionNote = (): string =>
  tf.getBackend() === 'webgl' && !tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED')
    ? 'This graphics card computes in 16 bits: small gradients vanish, so attacks are weaker than elsewhere.'
    : '';
