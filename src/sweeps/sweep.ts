// A sweep: makes the missing runs of a grid, in this process or in processes of their own.
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { InputError, messageOf } from '../core/errors.ts';
import type { LockTimes } from '../files/lock.ts';
import type { TaskFiles } from '../training/task.ts';
import { runInChild } from './child-process.ts';
import type { Job } from './grid.ts';
import { isDone, type JobEvaluation, type JobEvent, type JobOptions, type JobTask, runJob } from './job.ts';

/** Options of a sweep. */
export interface SweepOptions extends TaskFiles {
  /** The folder of the runs' folders. */
  readonly out: string;
  /** Memory for the gradients that each run keeps, as in `TrainRunOptions`. */
  readonly cacheMemory?: number;
  /** How each run is evaluated; null: not at all. */
  readonly evaluation: JobEvaluation | null;
  /** Where runs are made: one after the other on the current backend of this process, or in processes of their own. */
  readonly processes?: ChildProcesses;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: SweepEvent) => void;
  readonly lockTimes?: LockTimes;
}

/** Processes beside each other, a run each. */
export interface ChildProcesses {
  /** The largest number of processes at once. */
  readonly count: number;
  /** The module that such a process runs; it calls `serveJob`. */
  readonly entry: URL;
  /** Threads of all of them together; default one for each core. */
  readonly threads?: number;
  /** See `EngineOptions`. */
  readonly revectorize?: boolean;
  /** See `StartOptions`. */
  readonly kernels?: string;
}

/** An event of a sweep. A job is named by its position among all jobs, from 0. */
export type SweepEvent =
  /** `missing` of them are not done yet. */
  | { readonly kind: 'start'; readonly jobs: readonly Job[]; readonly missing: number }
  | { readonly kind: 'job-start'; readonly job: Job; readonly position: number }
  | { readonly kind: 'job-event'; readonly job: Job; readonly position: number; readonly event: JobEvent }
  | { readonly kind: 'job-end'; readonly job: Job; readonly position: number; readonly status: JobStatus };

export type JobStatus =
  | { readonly kind: 'done' }
  | { readonly kind: 'interrupted' }
  | { readonly kind: 'failed'; readonly message: string };

/** What became of the runs of a sweep. */
export interface SweepResult {
  /** Runs that were done before, and those done now. */
  readonly before: readonly Job[];
  readonly done: readonly Job[];
  readonly failed: readonly { readonly job: Job; readonly message: string }[];
  /** Runs that are still to be made because the signal stopped the sweep. */
  readonly left: readonly Job[];
}

/**
 * Makes those of the jobs that are missing in a folder, each in a folder of its own. A run that fails does not stop the
 * others; a sweep that was stopped continues where it was when it is started again.
 *
 * @throws InputError for a number of processes below 1
 */
export async function runSweep(jobs: readonly Job[], options: SweepOptions): Promise<SweepResult> {
  const { out, dataDirectory, from, extraImages, cacheMemory, evaluation, processes, signal, onEvent, lockTimes } =
    options;
  const count = processes?.count ?? 1;
  if (!Number.isInteger(count) || count < 1) {
    throw new InputError(`The number of processes of a sweep must be at least 1, got ${count}.`);
  }
  const taskOf = ({ config, name }: Job): JobTask => ({
    config,
    out: join(out, name),
    dataDirectory,
    from,
    extraImages,
    cacheMemory,
    evaluation,
    lockTimes,
  });
  const before: Job[] = [];
  const missing: { job: Job; position: number }[] = [];
  for (const [position, job] of jobs.entries()) {
    const warn = (message: string) =>
      onEvent?.({ kind: 'job-event', job, position, event: { kind: 'warning', message } });
    if (await isDone(taskOf(job), warn)) before.push(job);
    else missing.push({ job, position });
  }
  onEvent?.({ kind: 'start', jobs, missing: missing.length });

  const done: Job[] = [];
  const failed: { job: Job; message: string }[] = [];
  const left: Job[] = [];
  const queue = [...missing];
  const work = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { job, position } = next;
      if (signal?.aborted) {
        left.push(job);
        continue;
      }
      onEvent?.({ kind: 'job-start', job, position });
      const tell = (event: JobEvent) => onEvent?.({ kind: 'job-event', job, position, event });
      const status = processes
        ? await attemptInChild(taskOf(job), processes, { signal, onEvent: tell })
        : await attempt(() => runJob(taskOf(job), { signal, onEvent: tell }));
      if (status.kind === 'done') done.push(job);
      else if (status.kind === 'failed') failed.push({ job, message: status.message });
      else left.push(job);
      onEvent?.({ kind: 'job-end', job, position, status });
    }
  };
  await Promise.all(Array.from({ length: count }, work));
  return { before, done, failed, left };
}

async function attempt(run: () => Promise<'done' | 'interrupted'>): Promise<JobStatus> {
  try {
    return { kind: await run() };
  } catch (error) {
    return { kind: 'failed', message: messageOf(error) };
  }
}

/** What another process makes counts as failed here: the same sweep finds it done when it is started again. */
async function attemptInChild(
  task: JobTask,
  { entry, count, threads = availableParallelism(), revectorize = false, kernels }: ChildProcesses,
  options: JobOptions,
): Promise<JobStatus> {
  const backend = { threads: Math.max(1, Math.floor(threads / count)), revectorize, kernels };
  const outcome = await runInChild(entry, { task, backend }, options);
  if (outcome.kind === 'done' || outcome.kind === 'interrupted') return outcome;
  return { kind: 'failed', message: outcome.message };
}
