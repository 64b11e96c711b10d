// A worker: takes runs from a queue, one or several at a time, and makes each in a process of its own. The worker itself
// computes nothing, so it is always there to tell the queue that it still has its jobs.
//
// Whether a run is complete is read from its folder, and the lock of the folder decides who makes it: a job that comes to two
// workers is harmless. A job that cannot be made here goes back to the end of the queue, by its priority and not by a delay,
// since a delay would depend on the clocks of two machines agreeing.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Job as BullJob } from 'bullmq';
import { untilAborted } from '../../core/until-aborted.ts';
import { dataDirectory } from '../../data/files/directory.ts';
import { contentsOf } from './content.ts';
import type { OpenQueue } from './open.ts';
import { whyUnusable } from './runs-folder.ts';
import { takeJob } from './take-job.ts';
import type { WorkerMemory, WorkerOptions, WorkerOutcome, WorkerTally } from './worker-types.ts';

/** The pause of a slot after a job that is refused here, before it takes the next. */
const REFUSED_PAUSE_MS = 1_000;

/**
 * Works on a queue until the signal stops it.
 *
 * @returns how many runs ended how
 */
export async function runWorker(queue: OpenQueue, options: WorkerOptions): Promise<WorkerTally> {
  const { jobs, lockMs, once = false, signal } = options;
  const bull = queue.openWorker({ lockMs });
  const tally = { done: 0, interrupted: 0, refused: 0, 'in use': 0, failed: 0, cancelled: 0 };
  const find = contentsOf(dataDirectory(options.dataDirectory));
  const memory: WorkerMemory = { ...options, find, refusals: new Map() };
  let fetching: Promise<unknown> = Promise.resolve();
  /** The next job; slots ask one after another. */
  const next = (token: string): Promise<BullJob | undefined> => {
    const fetched = fetching.then(() => (signal.aborted ? undefined : bull.getNextJob(token, { block: !once })));
    fetching = fetched.catch(() => {});
    return fetched;
  };
  const slot = async (): Promise<void> => {
    while (!signal.aborted) {
      const reason = await whyUnusable(options.out);
      if (reason !== null) {
        options.onEvent?.({ kind: 'unusable', reason });
        if (once) return;
        await delay(lockMs / 6, undefined, { signal }).catch(() => {});
        continue;
      }
      const token = randomUUID();
      const job = await untilAborted(next(token), signal).catch(() => undefined);
      if (job !== undefined) {
        const outcome = await takeJob(job, token, queue, memory);
        tally[outcome.kind]++;
        await pauseAfter(outcome, job, lockMs, signal);
      }
      if (once) return;
    }
  };
  try {
    await bull.startStalledCheckTimer();
    await Promise.all(Array.from({ length: jobs }, slot));
  } finally {
    await bull.close(true).catch(() => {});
  }
  return tally;
}

/** Leaves a job that did not go well here to other workers for a while, the longer the more often it failed. */
async function pauseAfter(outcome: WorkerOutcome, job: BullJob, lockMs: number, signal: AbortSignal): Promise<void> {
  const short = lockMs / 6;
  const pause = {
    done: 0,
    cancelled: 0,
    interrupted: 0,
    refused: Math.min(REFUSED_PAUSE_MS, short),
    'in use': short,
    failed: Math.min(lockMs, short * 2 ** job.attemptsMade),
  }[outcome.kind];
  await delay(pause, undefined, { signal }).catch(() => {});
}
