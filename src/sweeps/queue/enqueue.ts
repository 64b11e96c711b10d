// Putting runs into a queue, and taking them out of it.
import type { Queue } from 'bullmq';
import type { Job } from '../grid.ts';
import { idOf, priorityOf, type QueuedJob } from './job-data.ts';
import { CANCELLED_KEY, type OpenQueue } from './open.ts';

/** A run of a sweep as a queue has it. */
export interface QueuedRun {
  readonly id: string;
  /** The name of the run's folder. */
  readonly name: string;
  readonly data: QueuedJob;
}

export const queuedRun = ({ name }: Pick<Job, 'name'>, data: QueuedJob): QueuedRun => ({ id: idOf(data), name, data });

const WEEK_SECONDS = 7 * 24 * 3600;
/** Failures after which a run is given up. Preemptions and machines that are gone are not counted. */
const ATTEMPTS = 10;
/** Runs that are sent at once, which bounds the memory that a large sweep takes. */
const AT_ONCE = 500;

/** The parts of a list with at most `size` entries each. */
export function* inParts<T>(list: readonly T[], size: number = AT_ONCE): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size);
}

/**
 * Puts runs that are not complete into a queue, unless they are on their way there already. A job that ended, or that waits
 * for another version, is replaced.
 *
 * @returns how many were added
 */
export async function enqueue({ queue, redis }: OpenQueue, runs: readonly QueuedRun[]): Promise<number> {
  let added = 0;
  for (const part of inParts(runs)) {
    const needed = await Promise.all(part.map((run) => makeRoom(queue, run)));
    const missing = part.filter((_, i) => needed[i]);
    if (part.length > 0) await redis.srem(CANCELLED_KEY, ...part.map(({ id }) => id));
    await queue.addBulk(missing.map(({ id, name, data }) => ({ name, data, opts: optionsOf(id, data) })));
    added += missing.length;
  }
  return added;
}

const optionsOf = (jobId: string, data: QueuedJob) => ({
  jobId,
  priority: priorityOf(data),
  attempts: ATTEMPTS,
  stackTraceLimit: 1,
  removeOnComplete: { age: WEEK_SECONDS },
  removeOnFail: { age: WEEK_SECONDS },
});

/** True if a run is to be added, after a job of its id that is no use has been removed. */
async function makeRoom(queue: Queue, { id, data }: QueuedRun): Promise<boolean> {
  const job = await queue.getJob(id);
  if (job === undefined) return true;
  const ended = ['completed', 'failed'].includes(await job.getState());
  if (!ended && JSON.stringify(job.data) === JSON.stringify(data)) return false;
  // A job that a worker holds cannot be removed; it goes on.
  return job.remove().then(
    () => true,
    () => false,
  );
}

/**
 * Cancels runs of a queue. Those that wait are removed; workers stop those that they have, which stay saved. What is complete
 * is left as it is.
 *
 * @returns how many waited and how many workers have
 */
export async function cancel(
  { queue, redis }: OpenQueue,
  ids: readonly string[],
): Promise<{ readonly removed: number; readonly stopping: number }> {
  let removed = 0;
  let stopping = 0;
  for (const part of inParts(ids)) {
    // First of all, so that a worker which takes a job meanwhile knows.
    await redis.sadd(CANCELLED_KEY, ...part);
    await redis.expire(CANCELLED_KEY, WEEK_SECONDS);
    const states = await Promise.all(
      part.map(async (id) => {
        const job = await queue.getJob(id);
        const state = job === undefined ? 'unknown' : await job.getState();
        if (job === undefined || state === 'completed' || state === 'failed') return 'ended';
        return job.remove().then(
          () => 'removed',
          () => 'stopping',
        );
      }),
    );
    removed += states.filter((state) => state === 'removed').length;
    stopping += states.filter((state) => state === 'stopping').length;
  }
  return { removed, stopping };
}

/** The ids and names of all runs that wait in a queue or are under way. */
export async function unfinished({
  queue,
}: OpenQueue): Promise<readonly { readonly id: string; readonly name: string }[]> {
  const found: { id: string; name: string }[] = [];
  // Active runs last: one that a worker takes meanwhile is seen as waiting or as active.
  for (const state of ['wait', 'prioritized', 'delayed', 'active'] as const) {
    for (let start = 0; ; start += AT_ONCE) {
      const jobs = await queue.getJobs([state], start, start + AT_ONCE - 1, true);
      for (const job of jobs) if (job?.id !== undefined) found.push({ id: job.id, name: job.name });
      if (jobs.length < AT_ONCE) break;
    }
  }
  return [...new Map(found.map((run) => [run.id, run])).values()];
}
