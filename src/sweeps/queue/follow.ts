// Following the runs of a sweep through a queue until each has ended. Whether a run is complete is read from its folder; the
// queue only says where to look. Runs that the queue has lost, such as by a server that started empty, are put in again.
import { setTimeout as delay } from 'node:timers/promises';
import { enqueue, inParts, type QueuedRun } from './enqueue.ts';
import { CANCELLED_KEY, lockKeyOf, type OpenQueue } from './open.ts';
import { type JobProgress, readProgress } from './progress.ts';
import { CANCELLED } from './take-job.ts';

/** A run that a worker has. */
export interface RunningJob {
  readonly name: string;
  /** The progress of the run; null until its worker reports it. */
  readonly progress: JobProgress | null;
  /** True if its worker gives no sign of life; another one will take it. */
  readonly stalled: boolean;
}

/** A look at a queue. */
export interface QueueView {
  readonly queued: number;
  readonly finished: number;
  readonly failed: number;
  /** The runs that workers have, at most `MOST_SHOWN`. */
  readonly running: readonly RunningJob[];
  /** All of them, and how many of those shown are stalled. */
  readonly runningCount: number;
  readonly stalledCount: number;
}

const MOST_SHOWN = 20;

/** What a queue holds now, whatever sweep it is of. */
export async function viewOf({ queue, redis }: OpenQueue): Promise<QueueView> {
  const counts = await queue.getJobCounts('wait', 'prioritized', 'delayed', 'active', 'completed', 'failed');
  const jobs = (await queue.getJobs(['active'], 0, MOST_SHOWN - 1, true)).filter((job) => job?.id !== undefined);
  const locked = await Promise.all(jobs.map((job) => redis.exists(lockKeyOf(job.id as string))));
  const running = jobs.map((job, i) => ({
    name: job.name,
    progress: readProgress(job.progress),
    stalled: locked[i] === 0,
  }));
  return {
    queued: counts.wait + counts.prioritized + counts.delayed,
    finished: counts.completed,
    failed: counts.failed,
    running,
    runningCount: counts.active,
    stalledCount: running.filter(({ stalled }) => stalled).length,
  };
}

/** What happens to the runs of a sweep in a queue. */
export type FollowEvent =
  | { readonly kind: 'view'; readonly view: QueueView; readonly ended: number; readonly total: number }
  | { readonly kind: 'end'; readonly run: QueuedRun; readonly outcome: FollowOutcome }
  /** A worker gave the run back; others may take it. */
  | { readonly kind: 'refused'; readonly run: QueuedRun; readonly worker: string; readonly reason: string }
  /** The queue had lost runs, which are in it again. */
  | { readonly kind: 'refill'; readonly count: number };

export type FollowOutcome =
  | { readonly kind: 'done'; readonly warnings: readonly string[] }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'cancelled' };

export interface FollowOptions {
  /** True if a run is complete in its folder. */
  readonly isComplete: (run: QueuedRun) => Promise<boolean>;
  /** Ends the display of the queue; its runs continue. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: FollowEvent) => void;
  /** Time between looks; default 1 s. */
  readonly everyMs?: number;
}

/** Runs that are looked at in one round, which bounds what a large sweep asks of the server. */
const LOOKED_AT = 200;

/**
 * Follows runs until all have ended or the signal is aborted.
 *
 * @returns how each that ended did
 */
export async function follow(
  open: OpenQueue,
  runs: readonly QueuedRun[],
  { isComplete, signal, onEvent, everyMs = 1_000 }: FollowOptions,
): Promise<ReadonlyMap<string, FollowOutcome>> {
  const outcomes = new Map<string, FollowOutcome>();
  const refilled = new Set<string>();
  let pending = [...runs];
  while (pending.length > 0 && !signal.aborted) {
    const [part = []] = inParts(pending, LOOKED_AT);
    const found = await Promise.all(part.map((run) => look(open, run, isComplete)));
    if (signal.aborted) break;
    const lost: QueuedRun[] = [];
    for (const [i, run] of part.entries()) {
      const state = found[i];
      if (state.kind === 'refused') onEvent?.({ ...state, run });
      if (state.kind === 'lost' && refilled.has(run.id) && state.finished) {
        outcomes.set(run.id, { kind: 'failed', message: ELSEWHERE });
      } else if (state.kind === 'lost') {
        lost.push(run);
        if (state.finished) refilled.add(run.id);
      } else if (state.kind === 'done' || state.kind === 'failed' || state.kind === 'cancelled') {
        outcomes.set(run.id, state);
      }
      const outcome = outcomes.get(run.id);
      if (outcome !== undefined) onEvent?.({ kind: 'end', run, outcome });
    }
    if (lost.length > 0) {
      await enqueue(open, lost);
      onEvent?.({ kind: 'refill', count: lost.length });
    }
    // Those that were looked at come last next time.
    pending = [...pending.slice(part.length), ...part.filter(({ id }) => !outcomes.has(id))];
    onEvent?.({ kind: 'view', view: await viewOf(open), ended: outcomes.size, total: runs.length });
    if (pending.length > 0) await delay(everyMs, undefined, { signal }).catch(() => {});
  }
  return outcomes;
}

const ELSEWHERE =
  'The queue says that it is finished, and its folder here does not hold it. Give the workers and the sweep the same shared folder as --out.';

type Found =
  | FollowOutcome
  | { readonly kind: 'pending' }
  | { readonly kind: 'refused'; readonly worker: string; readonly reason: string }
  /** The queue does not hold it, or holds it as `finished`, and its folder is not complete. */
  | { readonly kind: 'lost'; readonly finished: boolean };

async function look(
  { queue, redis }: OpenQueue,
  run: QueuedRun,
  isComplete: FollowOptions['isComplete'],
): Promise<Found> {
  const job = await queue.getJob(run.id);
  const state = job === undefined ? 'unknown' : await job.getState();
  if (job !== undefined && state === 'failed') {
    return job.failedReason === CANCELLED ? { kind: 'cancelled' } : { kind: 'failed', message: job.failedReason };
  }
  if (job === undefined || state === 'completed' || state === 'unknown') {
    if (await isComplete(run)) return { kind: 'done', warnings: warningsOf(job?.returnvalue) };
    if ((await redis.sismember(CANCELLED_KEY, run.id)) === 1) return { kind: 'cancelled' };
    return { kind: 'lost', finished: state === 'completed' };
  }
  const progress = readProgress(job.progress);
  if (state !== 'active' && progress?.refused) {
    return { kind: 'refused', worker: progress.worker, reason: progress.refused };
  }
  return { kind: 'pending' };
}

const warningsOf = (returned: unknown): readonly string[] => {
  const { warnings } = (returned ?? {}) as { readonly warnings?: unknown };
  return Array.isArray(warnings) ? warnings.filter((warning) => typeof warning === 'string') : [];
};
