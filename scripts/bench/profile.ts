// Records which kernels a piece of work runs, and how long each takes.
import * as tf from '@tensorflow/tfjs-core';
import type { EngineBackend } from '../../src/engine/backend.ts';
import { type Call, RECORD_FIELDS } from '../../src/engine/records/records.ts';
import type { Pool } from '../../src/engine/runtime/pool.ts';
import { type Work, workOf } from './work.ts';

export const engine = (): EngineBackend => tf.backend() as unknown as EngineBackend;

/** One kernel of a job, and how long it took on all threads. */
export interface Executed {
  readonly call: Call;
  readonly tasks: number;
  readonly milliseconds: number;
  /** Undefined for kernels that no limit is compared with. */
  readonly work: Work | undefined;
}

/**
 * Times every kernel that `work` runs on the engine, one after another with a barrier between them. Kernels of a chain
 * that hand over in scratch memory of a thread compute with each other's leftovers: the times hold, the results do not.
 */
export async function profiled(work: () => void | Promise<void>): Promise<readonly Executed[]> {
  const executed: Executed[] = [];
  const { heap, pool } = engine();
  const original = { runChain: pool.runChain.bind(pool), runFields: pool.runFields.bind(pool) };
  const time = (call: Call, tasks: number, run: () => void): void => {
    // Before it runs: its arguments stand no longer than the job.
    const work = workOf(call, tasks, (pointer, length) => heap.int32(pointer, length));
    const start = performance.now();
    run();
    executed.push({ call, tasks, milliseconds: performance.now() - start, work });
  };
  const timed: Pick<Pool, 'runChain' | 'runFields'> = {
    runChain: (tasks, calls) => {
      for (const call of calls) time(call, tasks, () => original.runChain(tasks, [call]));
    },
    runFields: (tasks, calls, number) => {
      for (const call of calls) {
        const { kernel, fields } = call;
        const entries = RECORD_FIELDS[kernel].names.map((name, i) => [name, number(fields[i])] as const);
        const named = { kernel, fields: Object.fromEntries(entries) } as unknown as Call;
        time(named, tasks, () => original.runFields(tasks, [call], number));
      }
    },
  };
  Object.assign(pool, timed);
  try {
    await work();
  } finally {
    // The prototype's methods again.
    for (const name of Object.keys(timed)) Reflect.deleteProperty(pool, name);
  }
  return executed;
}

/** The fastest time of each call over several profiles of the same work. A profile with other calls, such as the first, is left out. */
export function fastest(profiles: readonly (readonly Executed[])[]): readonly Executed[] {
  const last = profiles[profiles.length - 1];
  const alike = profiles.filter(
    (profile) => profile.length === last.length && profile.every(({ call }, i) => call.kernel === last[i].call.kernel),
  );
  return last.map((executed, i) => ({
    ...executed,
    milliseconds: Math.min(...alike.map((profile) => profile[i].milliseconds)),
  }));
}
