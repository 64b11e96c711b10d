// Starts the backend of TensorFlow's native library, with or without a GPU.
import { env } from 'node:process';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { installCommand } from '../core/shell.ts';
import { bindingFault, type TensorflowPackage, tensorflowPackage } from './link/binding.ts';
import { firstLine, importPackage } from './packages.ts';
import { supplyNumericPadding } from './tensorflow-convolutions.ts';

/** The packages in the order in which they are tried. */
export const TENSORFLOW_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** The commands that add the backend. */
export const installTensorflow = (name: string): string =>
  `${installCommand(`${name}@4.22.0`)} && npx equipoise link-tensorflow${name.endsWith('gpu') ? ' --gpu' : ''}`;

export interface TensorflowOptions {
  /** True if a start on the CPU counts as none. */
  readonly gpuOnly?: boolean;
}

/**
 * Starts the backend `tensorflow` from the first of `TENSORFLOW_PACKAGES` that loads, and returns what it runs on.
 *
 * @throws InputError if none is installed, or none of those installed loads: which file, and what to do
 */
export async function startTensorflow({ gpuOnly = false }: TensorflowOptions = {}): Promise<string> {
  const installed = TENSORFLOW_PACKAGES.map(tensorflowPackage).filter((found) => found !== null);
  if (installed.length === 0) {
    throw new InputError(
      `The backend tensorflow needs ${TENSORFLOW_PACKAGES[1]} (or ${TENSORFLOW_PACKAGES[0]}), which is not installed. Install it with: ${installTensorflow(TENSORFLOW_PACKAGES[1])}`,
    );
  }
  const failures: string[] = [];
  for (const tensorflow of installed) {
    prepareProcess();
    const fault = (await bindingFault(tensorflow)) ?? (await loadPackage(tensorflow));
    if (fault === null) return describeRunning(tensorflow, gpuOnly);
    failures.push(`${tensorflow.name} ${tensorflow.version}: ${fault}`);
  }
  throw new InputError(
    `The backend tensorflow is installed but does not start. ${failures.join('; ')}. Link it to a TensorFlow that is there with: equipoise link-tensorflow`,
  );
}

/**
 * Loads a package, which registers its backend, and makes that the current one; returns why it could not. Nothing is
 * tried out before: a binding that does not fit the machine may end this process.
 */
export async function loadPackage({ name }: Pick<TensorflowPackage, 'name'>): Promise<string | null> {
  prepareProcess();
  try {
    await importPackage(name);
  } catch (thrown) {
    return firstLine(thrown);
  }
  if (tf.findBackend('tensorflow') === null || !(await tf.setBackend('tensorflow'))) {
    return 'it works on another copy of @tensorflow/tfjs-core than Equipoise does. Run npm dedupe';
  }
  supplyNumericPadding();
  return null;
}

/** What the current backend, which must be `tensorflow`, says of itself. */
export function runningTensorflow(): { readonly version: string; readonly gpu: boolean } {
  const { binding, isUsingGpuDevice } = tf.backend() as unknown as {
    readonly binding: { readonly TF_Version: string };
    readonly isUsingGpuDevice: boolean;
  };
  return { version: binding.TF_Version, gpu: isUsingGpuDevice };
}

function describeRunning({ name, version: packageVersion }: TensorflowPackage, gpuOnly: boolean): string {
  const { version, gpu } = runningTensorflow();
  if (gpuOnly && !gpu) throw new InputError(`TensorFlow ${version} sees no GPU`);
  return `TensorFlow ${version} on ${gpu ? 'GPU' : 'CPU'}, through ${name} ${packageVersion}`;
}

function prepareProcess(): void {
  // TensorFlow writes its start-up remarks to standard error.
  env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  // tfjs-node 4.22 calls functions that Node 23 took away.
  const old = util as { isNullOrUndefined?: (value: unknown) => boolean; isArray?: (value: unknown) => boolean };
  old.isNullOrUndefined ??= (value) => value === null || value === undefined;
  old.isArray ??= Array.isArray;
}
