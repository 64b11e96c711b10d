import { env } from 'node:process';
import util from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { firstLine, importPackage, installedVersion } from './packages.ts';

/** In the order in which they are tried. */
export const TENSORFLOW_PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;
export const INSTALL_TENSORFLOW = 'npm install --ignore-scripts=false @tensorflow/tfjs-node@4.22.0';

/**
 * Starts the backend `tensorflow` from the first of `TENSORFLOW_PACKAGES` that loads, and returns that package's name
 * and version.
 *
 * @throws InputError where none is installed, or none of those installed loads
 */
export async function startTensorflow(): Promise<string> {
  const installed = TENSORFLOW_PACKAGES.filter((name) => installedVersion(name) !== null);
  if (installed.length === 0) {
    throw new InputError(
      `The backend tensorflow needs ${TENSORFLOW_PACKAGES[1]} (or ${TENSORFLOW_PACKAGES[0]}), which is not installed. Install it with: ${INSTALL_TENSORFLOW}`,
    );
  }
  // TensorFlow writes its start-up remarks to standard error.
  env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  supplyIsNullOrUndefined();
  const failures: string[] = [];
  for (const name of installed) {
    const detail = `${name} ${installedVersion(name)}`;
    try {
      await importPackage(name);
    } catch (thrown) {
      failures.push(`${detail}: ${firstLine(thrown)}`);
      continue;
    }
    if (tf.findBackend('tensorflow') !== null && (await tf.setBackend('tensorflow'))) return detail;
    failures.push(`${detail} works on another copy of @tensorflow/tfjs-core than Equipoise (run npm dedupe)`);
  }
  throw new InputError(
    `The backend tensorflow is installed but does not start: ${failures.join('; ')}. Its native library is fetched when it is installed, which npm leaves out under ignore-scripts; install it with: ${INSTALL_TENSORFLOW}`,
  );
}

/** tfjs-node 4.22 calls a function that Node 23 took away. */
function supplyIsNullOrUndefined(): void {
  const old = util as { isNullOrUndefined?: (value: unknown) => boolean };
  old.isNullOrUndefined ??= (value) => value === null || value === undefined;
}
