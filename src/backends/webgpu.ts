// Starts the backend of WebGPU in Node.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { installCommand } from '../core/shell.ts';
import { firstLine, importPackage, installedVersion } from './packages.ts';
import { dawnsTurn, supplyReads } from './webgpu-reading.ts';
import { supplyLongSums } from './webgpu-sums.ts';

export const WEBGPU_PACKAGES = ['@tensorflow/tfjs-backend-webgpu', 'webgpu'] as const;
export const INSTALL_WEBGPU = installCommand('@tensorflow/tfjs-backend-webgpu@4.22.0', 'webgpu');

/** What an error says where the machine offers none. */
export const NO_ADAPTER = 'no adapter was found';

/** Dawn ends the process once what it created is no longer held, so it is created once. */
let started: { readonly adapter: string } | null = null;

/**
 * Starts the backend `webgpu` on Dawn, the WebGPU implementation in the npm package `webgpu`.
 *
 * @throws InputError if a package is missing, or the machine offers no WebGPU adapter
 */
export async function startWebgpu(): Promise<string> {
  const missing = WEBGPU_PACKAGES.filter((name) => installedVersion(name) === null);
  if (missing.length > 0) {
    throw new InputError(
      `The backend webgpu needs ${missing.join(' and ')}, which ${missing.length > 1 ? 'are' : 'is'} not installed. Install with: ${INSTALL_WEBGPU}`,
    );
  }
  try {
    started ??= await startDawn();
    if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js did not accept the device');
  } catch (thrown) {
    throw new InputError(
      `The backend webgpu is installed but does not start: ${firstLine(thrown)}. It needs a graphics card with a Vulkan, Metal or Direct3D 12 driver.`,
      { cause: thrown },
    );
  }
  const versions = WEBGPU_PACKAGES.map((name) => `${name} ${installedVersion(name)}`);
  return `${started.adapter}, through ${versions.join(' and ')}`;
}

async function startDawn(): Promise<{ readonly adapter: string }> {
  const { create, globals } = (await importPackage('webgpu')) as unknown as Dawn;
  Object.assign(globalThis, globals);
  const gpu = create([]);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new Error(NO_ADAPTER);
  // Seen only at the first thing that Dawn is asked for; later ones wait for a turn that is already to come.
  const turn = await dawnsTurn(async () => (await adapter.requestDevice()).destroy());
  // The property is a getter on Node 21 and later, and absent before.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, userAgent: 'node' }, configurable: true });
  await importPackage('@tensorflow/tfjs-backend-webgpu');
  if (!(await tf.setBackend('webgpu'))) throw new Error('TensorFlow.js did not accept the device');
  supplyReads(turn);
  supplyLongSums();
  const { vendor, architecture, device, description } = adapter.info;
  return { adapter: description || device || [vendor, architecture].filter(Boolean).join(' ') || 'an unnamed adapter' };
}

interface Dawn {
  create(flags: readonly string[]): { requestAdapter(options: object): Promise<Adapter | null> };
  readonly globals: object;
}

interface Adapter {
  readonly info: { readonly [K in 'vendor' | 'architecture' | 'device' | 'description']: string };
  requestDevice(): Promise<{ destroy(): void }>;
}
