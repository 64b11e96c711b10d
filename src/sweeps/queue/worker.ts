// A worker: takes runs from a queue, one or several at a time, and makes each in a process of its own. The worker itself
// computes nothing, so it is always there to tell the queue that it still has its jobs.
//
// Whether a run is complete is read from its folder, and the lock of the folder decides who makes it: a job that comes to two
// workers is harmless. A job that cannot be made here goes back to the end of the queue, by its priority and not by a delay,
// since a delay would depend on the clocks of two machines agreeing.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Job as BullJob } from 'bullmq';
import { InputError } from '../../core/errors.ts';
import { dataDirectory } from '../../data/files/directory.ts';
import { version } from '../../evaluation/version.ts';
import type { LockTimes } from '../../files/lock.ts';
import type { ChildOutcome } from '../child.ts';
import { runInChild } from '../child-process.ts';
import { jobOf } from '../grid.ts';
import { type JobEvent, type JobTask, warningOf } from '../job.ts';
import { whyRefused } from '../provenance.ts';
import { contentsOf, type FindContent } from './content.ts';
import { idOf, LAST_PRIORITY, type QueuedJob, readQueuedJob, versionOf } from './job-data.ts';
import { CANCELLED_KEY, type OpenQueue } from './open.ts';
import { begun, progressMeter } from './progress.ts';
import { whyUnusable } from './runs-folder.ts';

export interface WorkerOptions {
  /** The folder of the runs' folders. */
  readonly out: string;
  /** Where data sets lie, and files that runs start from. */
  readonly dataDirectory?: string;
  /** Memory for the gradients that each run keeps, as in `TrainRunOptions`. */
  readonly cacheMemory?: number;
  /** Runs at once. */
  readonly jobs: number;
  /** Threads of all of them together. */
  readonly threads: number;
  /** The only build of the engine's kernels that is used here; default: that of each job. */
  readonly kernels?: string;
  /** The module that a run's process runs; it calls `serveJob`. */
  readonly entry: URL;
  /** How long a job stays with a worker that gives no sign of life; the same for all workers of a queue. */
  readonly lockMs: number;
  /** Take one run, or none if none is queued, and end. */
  readonly once?: boolean;
  /** Stops the runs at their next safe points, gives them back, and ends. */
  readonly signal: AbortSignal;
  readonly onEvent?: (event: WorkerEvent) => void;
}

/** What happens at a worker. */
export type WorkerEvent =
  | { readonly kind: 'take'; readonly run: string }
  | { readonly kind: 'job-event'; readonly run: string; readonly event: JobEvent }
  | { readonly kind: 'end'; readonly run: string; readonly outcome: WorkerOutcome }
  /** The queue did not take the job back, as it had lost it or given it to another worker; its run tells how far it is. */
  | { readonly kind: 'lost'; readonly run: string; readonly reason: string }
  /** No run can be written into the shared folder now; the worker takes none until one can. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** How a run ended for its worker. */
export type WorkerOutcome = ChildOutcome | { readonly kind: 'cancelled' };

/** How the runs that a worker took have ended. */
export type WorkerTally = { readonly [K in WorkerOutcome['kind']]: number };

/** How often a worker tells the queue that it still has a job, as parts of the lock's time. */
const BEATS_A_LOCK = 4;
/** The pause of a slot after a job that is refused here, before it takes the next. */
const REFUSED_PAUSE_MS = 1_000;
/** How long a worker that ends waits for the server to take its jobs back; they are found stalled otherwise. */
const FAREWELL_MS = 5_000;

/** The times of a run folder's lock that fit the lock of a queue: a folder is given up later than its job. */
export const folderLockTimes = (lockMs: number): Required<LockTimes> => ({
  staleMs: 1.5 * lockMs,
  heartbeatMs: Math.min(2_000, lockMs / 30),
});

/** The name of this worker, for people. */
export const workerName = (): string => `${hostname()}:${process.pid}`;

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
  /** Reasons for which jobs were refused here, by what they were queued for. */
  const refusals = new Map<string, string>();
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
        const outcome = await take(job, token, queue, { ...options, find, refusals });
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

/** The value of a promise, or nothing once the signal is aborted: a server that is away may never answer. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  let stop = (): void => {};
  const aborted = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
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

interface Taking extends WorkerOptions {
  readonly find: FindContent;
  readonly refusals: Map<string, string>;
}

/** Makes the run of a job that this worker has taken, and tells the queue how it ended. */
async function take(job: BullJob, token: string, queue: OpenQueue, options: Taking): Promise<WorkerOutcome> {
  const { signal, onEvent, lockMs } = options;
  const cancelling = new AbortController();
  const beat = heartbeat(job, token, queue, { lockMs, onCancel: () => cancelling.abort() });
  const warnings = new Set<string>();
  let outcome: WorkerOutcome;
  try {
    outcome = await make(job, {
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

async function make(job: BullJob, options: Taking & { readonly cancelled: boolean }): Promise<WorkerOutcome> {
  const { out, jobs, threads, kernels, entry, lockMs, signal, onEvent, refusals, cancelled } = options;
  if (cancelled) return { kind: 'cancelled' };
  // First of all: another version may have other settings, and other ids.
  const otherVersion = whyRefused({ version: versionOf(job.data) }, { version: version() });
  if (otherVersion !== null) return { kind: 'refused', message: otherVersion, lasting: true };
  const data = readQueuedJob(job.data);
  if (idOf(data) !== job.id)
    throw new InputError(`The job ${job.id} of the queue is damaged: its id is not that of its content.`);
  const { config, evaluation, provenance } = data;
  const { name } = jobOf(config);
  const here = JSON.stringify([provenance, config.dataset]);
  const known = refusals.get(here) ?? otherKernels(data, kernels);
  if (known !== null) return { kind: 'refused', message: known, lasting: true };
  const files = await filesOf(data, options);
  if (files.missing !== undefined) return { kind: 'refused', message: files.missing, lasting: false };
  onEvent?.({ kind: 'take', run: name });
  const start = begun(workerName(), config.epochs);
  const meter = progressMeter(start);
  job.updateProgress(start).catch(() => {});
  const task: JobTask = {
    config,
    out: join(out, name),
    dataDirectory: options.dataDirectory,
    ...files.found,
    cacheMemory: options.cacheMemory,
    evaluation,
    lockTimes: folderLockTimes(lockMs),
  };
  const backend = {
    threads: Math.max(1, Math.floor(threads / jobs)),
    ...(provenance.kernels !== null && { kernels: provenance.kernels }),
  };
  const outcome = await runInChild(
    entry,
    { task, backend, provenance },
    {
      signal,
      onEvent: (event) => {
        const progress = meter(event);
        if (progress !== null) job.updateProgress(progress).catch(() => {});
        onEvent?.({ kind: 'job-event', run: name, event });
      },
    },
  );
  if (outcome.kind === 'failed') {
    // A folder that is away fails a run in many ways, also in ones that look final.
    const reason = await whyUnusable(out);
    if (reason !== null) return { kind: 'refused', message: reason, lasting: false };
  }
  // The same answer is known without a process next time, unless files may come to be there.
  if (outcome.kind === 'refused' && outcome.lasting) refusals.set(here, outcome.message);
  return outcome;
}

/** Why a worker of one build of the kernels refuses a job of another; null if it does not. */
function otherKernels({ provenance }: QueuedJob, kernels: string | undefined): string | null {
  if (kernels === undefined || provenance.kernels === null || provenance.kernels === kernels) return null;
  return `The run was queued for the kernels ${provenance.kernels}, and this worker was started with --kernels ${kernels}. Start the worker without --kernels, or the sweep with --kernels simd.`;
}

interface Files {
  readonly found: Pick<JobTask, 'from' | 'extraImages'>;
  readonly missing?: string;
}

/** Where the files lie here that a configuration names by their content. */
async function filesOf({ config }: QueuedJob, { find, dataDirectory: data }: Taking): Promise<Files> {
  const found: { from?: string; extraImages?: string } = {};
  for (const name of ['from', 'extraImages'] as const) {
    const sha256 = config[name];
    if (sha256 === undefined) continue;
    const path = await find(sha256);
    if (path === null) {
      const what = name === 'from' ? 'the checkpoint that it starts from' : 'the file of its extra images';
      return {
        found,
        missing: `The run needs ${what}, of SHA-256 ${sha256}, and no safetensors file below ${dataDirectory(data)} is that. Copy it there, or name another folder with --data.`,
      };
    }
    found[name] = path;
  }
  return { found };
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

/** The reason for which a cancelled job is recorded as failed. */
export const CANCELLED = 'cancelled';
