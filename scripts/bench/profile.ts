import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from '../../src/engine/backend.ts';
import type { Pool } from '../../src/engine/pool.ts';
import type { Call } from '../../src/engine/records.ts';

export const engine = (): EngineBackend => tf.backend() as unknown as EngineBackend;

/** One kernel of a job, and how long it took on all threads. */
export interface Executed {
  readonly call: Call;
  readonly tasks: number;
  readonly milliseconds: number;
}

/**
 * Times every kernel that `work` runs on the engine, one after another with a barrier between them. Kernels of a chain
 * that hand over in scratch memory of a thread compute with each other's leftovers: the times hold, the results do not.
 *
 * @param inspect called for each before it runs, while its arguments stand
 */
export async function profiled(
  work: () => void | Promise<void>,
  inspect: (call: Call, tasks: number) => void = () => {},
): Promise<readonly Executed[]> {
  const executed: Executed[] = [];
  const pool = engine().pool as { runChain: Pool['runChain'] };
  const runChain = pool.runChain.bind(pool);
  pool.runChain = (tasks, calls) => {
    for (const call of calls) {
      inspect(call, tasks);
      const start = performance.now();
      runChain(tasks, [call]);
      executed.push({ call, tasks, milliseconds: performance.now() - start });
    }
  };
  try {
    await work();
  } finally {
    // The prototype's method again.
    Reflect.deleteProperty(pool, 'runChain');
  }
  return executed;
}

/** Of several profiles of the same work the fastest time of each call. */
export const fastest = (profiles: readonly (readonly Executed[])[]): readonly Executed[] =>
  profiles[0].map((executed, i) => ({
    ...executed,
    milliseconds: Math.min(...profiles.map((profile) => profile[i].milliseconds)),
  }));
