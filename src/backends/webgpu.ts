import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { firstLine, importPackage, installedVersion } from './packages.ts';

export const WEBGPU_PACKAGES = ['@tensorflow/tfjs-backend-webgpu', 'webgpu'] as const;
export const INSTALL_WEBGPU = 'npm install --ignore-scripts @tensorflow/tfjs-backend-webgpu@4.22.0 webgpu';

/**
 * Starts the backend `webgpu` on Dawn, the WebGPU implementation in the npm package `webgpu`.
 *
 * @throws InputError where a package is missing, or the machine offers no WebGPU adapter
 */
export async function startWebgpu(): Promise<string> {
  const missing = WEBGPU_PACKAGES.filter((name) => installedVersion(name) === null);
  if (missing.length > 0) {
    throw new InputError(
      `The backend webgpu needs ${missing.join(' and ')}, which ${missing.length > 1 ? 'are' : 'is'} not installed. Install with: ${INSTALL_WEBGPU}`,
    );
  }
  try {
    // Dawn ends the process once what it created is no longer held, so it is created once.
    if (!tf.findBackendFactory('webgpu')) await registerDawn();
    if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js did not accept the device');
  } catch (thrown) {
    throw new InputError(
      `The backend webgpu is installed but does not start: ${firstLine(thrown)}. It needs a graphics card with a Vulkan, Metal or Direct3D 12 driver.`,
    );
  }
  return WEBGPU_PACKAGES.map((name) => `${name} ${installedVersion(name)}`).join(', ');
}

async function registerDawn(): Promise<void> {
  const { create, globals } = (await importPackage('webgpu')) as unknown as Dawn;
  Object.assign(globalThis, globals);
  const gpu = create([]);
  if ((await gpu.requestAdapter()) === null) throw new Error('no adapter was found');
  // The property is a getter on Node 21 and later, and absent before.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
  await importPackage('@tensorflow/tfjs-backend-webgpu');
}

interface Dawn {
  create(flags: readonly string[]): { requestAdapter(): Promise<object | null> };
  readonly globals: object;
}
