// One job in a worker's hands: made, kept alive in the queue meanwhile, and given back with how it ended.
import { setTimeout as delay } from 'node:timers/promises';
import type { Job as BullJob } from 'bullmq';
import { InputError } from '../../core/errors.ts';
import { untilAborted } from '../../core/until-aborted.ts';
import { warningOf } from '../job.ts';
import { LAST_PRIORITY } from './job-data.ts';
import { makeRun } from './make-run.ts';
import { CANCELLED_KEY, type OpenQueue } from './open.ts';
import { begun } from './progress.ts';
import { workerName } from './worker-name.ts';
import type { WorkerMemory, WorkerOutcome } from './worker-types.ts';

/** The reason for which a cancelled job is recorded as failed. */
export const CANCELLED = 'cancelled';

/** How often a worker tells the queue that it still has a job, as parts of the lock's time. */
const BEATS_A_LOCK = 4;
/** How long a worker that ends waits for the server to take its jobs back; they are found stalled otherwise. */
const FAREWELL_MS = 5_000;

/** Makes the run of a job that this worker has taken, and tells the queue how it ended. */
export async function takeJob(
  job: BullJob,
  token: string,
  queue: OpenQueue,
  options: WorkerMemory,
): Promise<WorkerOutcome> {
  const { signal, onEvent, lockMs } = options;
  const cancelling = new AbortController();
  const beat = heartbeat(job, token, queue, { lockMs, onCancel: () => cancelling.abort() });
  const warnings = new Set<string>();
  let outcome: WorkerOutcome;
  try {
    outcome = await makeRun(job, {
      ...options,
      signal: AbortSignal.any([signal, cancelling.signal]),
      cancelled: (await untilAborted(queue.redis.sismember(CANCELLED_KEY, job.id ?? ''), signal)) === 1,
      onEvent: (event) => {
        const warning = event.kind === 'job-event' ? warningOf(event.event) : null;
        if (warning !== null) warnings.add(warning);
        onEvent?.(event);
      },
    });
    if (outcome.kind === 'interrupted' && cancelling.signal.aborted) outcome = { kind: 'cancelled' };
  } catch (error) {
    outcome = { kind: 'failed', message: (error as Error).message, final: error instanceof InputError };
  } finally {
    beat.stop();
  }
  const settled = settle(job, token, queue, outcome, [...warnings]).catch((error: Error) =>
    onEvent?.({ kind: 'lost', run: job.name, reason: error.message }),
  );
  await (signal.aborted ? Promise.race([settled, delay(FAREWELL_MS, undefined, { ref: false })]) : settled);
  onEvent?.({ kind: 'end', run: job.name, outcome });
  return outcome;
}

/** Tells the queue again and again that this worker has a job, and learns whether it was cancelled. */
function heartbeat(
  job: BullJob,
  token: string,
  { redis }: OpenQueue,
  { lockMs, onCancel }: { readonly lockMs: number; readonly onCancel: () => void },
): { stop(): void } {
  let timer: NodeJS.Timeout;
  let stopped = false;
  const beat = async (): Promise<void> => {
    try {
      const [, cancelled] = await Promise.all([
        job.extendLock(token, lockMs),
        redis.sismember(CANCELLED_KEY, job.id ?? ''),
      ]);
      if (cancelled === 1) onCancel();
    } catch {
      // The server is away, or has given the job to somebody else; the run goes on, and its folder's lock decides.
    }
    if (!stopped) timer = setTimeout(beat, lockMs / BEATS_A_LOCK);
  };
  timer = setTimeout(beat, lockMs / BEATS_A_LOCK);
  return {
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

/** Tells the queue how a job ended here. */
async function settle(
  job: BullJob,
  token: string,
  { finalError }: OpenQueue,
  outcome: WorkerOutcome,
  warnings: readonly string[],
): Promise<void> {
  switch (outcome.kind) {
    case 'done':
      await job.moveToCompleted({ worker: workerName(), warnings }, token, false);
      return;
    case 'interrupted':
      await job.moveToWait(token);
      return;
    case 'refused':
    case 'in use':
      await job.updateProgress({ ...begun(workerName(), 0), refused: outcome.message });
      await job.changePriority({ priority: LAST_PRIORITY });
      await job.moveToWait(token);
      // BullMQ puts a job that moves back before all others of its priority; this puts it behind them, so that each of the
      // jobs that were given back is tried in turn.
      await job.changePriority({ priority: LAST_PRIORITY });
      return;
    case 'cancelled':
      await job.moveToFailed(finalError(CANCELLED), token, false);
      return;
    case 'failed':
      await job.moveToFailed(outcome.final ? finalError(outcome.message) : new Error(outcome.message), token, false);
      return;
    default:
      outcome satisfies never;
  }
}
