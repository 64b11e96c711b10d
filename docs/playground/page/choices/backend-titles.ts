// What the page calls the backends of TensorFlow.js.

import type { BackendName } from '../../worker/protocol.ts';

export const BACKEND_TITLES: { readonly [Name in BackendName]: string } = {
  wasm: 'WebAssembly',
  webgl: 'WebGL',
  webgpu: 'WebGPU',
  cpu: 'plain JavaScript',
};
