import { env } from 'node:process';
// Some suites make models before any backend is started.
import '@tensorflow/tfjs-backend-cpu';
import type { BackendName } from '../src/backends/names.ts';
import { startBackend } from '../src/backends/start.ts';

/** Starts the backend that suites for every backend run on: the one that EQUIPOISE_TEST_BACKEND names, else `usual`. */
export async function useBackend(usual: BackendName): Promise<void> {
  await startBackend(env.EQUIPOISE_TEST_BACKEND ?? usual, { threads: 1 });
}
