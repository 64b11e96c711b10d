// The engine as a backend: its start, with errors for builds of the kernels that cannot run here.
import { versions } from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import { didYouMean, suggestion } from '../core/did-you-mean.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { ENGINE, type EngineOptions, engineInfo, type KernelBuild, registerEngine } from '../engine/index.ts';
import { BUILDS, hasRelaxedSimd } from '../engine/runtime/wasm.ts';

export interface StartEngineOptions extends Pick<EngineOptions, 'threads' | 'revectorize' | 'warn'> {
  /** The name of a build; default: the best that runs here. */
  readonly kernels?: string;
}

/** Starts Equipoise's own backend, and says on how many threads and with which build of its kernels. */
export async function startEngine({ threads, revectorize, warn, kernels }: StartEngineOptions = {}): Promise<string> {
  if (kernels !== undefined && revectorize) {
    throw new UsageError('--kernels and --revectorize both choose the build of the kernels. Give one of them.');
  }
  const build = kernels === undefined ? undefined : buildOf(kernels);
  await registerEngine({ threads, revectorize, warn, build });
  await tf.setBackend(ENGINE);
  const info = engineInfo();
  return info === null ? '' : `${info.threads} thread${info.threads === 1 ? '' : 's'}, WebAssembly build ${info.build}`;
}

/** The build of the engine that runs; null before its start. */
export const kernelBuild = (): string | null => engineInfo()?.build ?? null;

/**
 * The build of the kernels with a name.
 *
 * @throws UsageError if there is none; InputError if it cannot run here
 */
export function buildOf(name: string): KernelBuild {
  const build = BUILDS.find((known) => known === name);
  if (build === undefined) {
    throw new UsageError(
      `--kernels takes one of ${BUILDS.join(', ')}, got ${name}.${suggestion(didYouMean(name, BUILDS))}`,
    );
  }
  if (build !== 'simd' && !hasRelaxedSimd()) {
    throw new InputError(
      `The kernels ${build} need relaxed SIMD, which Node ${versions.node} does not have. Use Node 24, or --kernels simd.`,
    );
  }
  return build;
}
