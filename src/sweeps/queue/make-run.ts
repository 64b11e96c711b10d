// The run of one job of a queue, made in a process of its own, if it can be made here.
import { join } from 'node:path';
import type { Job as BullJob } from 'bullmq';
import { InputError } from '../../core/errors.ts';
import { dataDirectory } from '../../data/files/directory.ts';
import { version } from '../../evaluation/version.ts';
import type { LockTimes } from '../../files/lock.ts';
import { runInChild } from '../child-process.ts';
import { jobOf } from '../grid.ts';
import type { JobTask } from '../job.ts';
import { whyRefused } from '../provenance.ts';
import { idOf, type QueuedJob, readQueuedJob, versionOf } from './job-data.ts';
import { begun, progressMeter } from './progress.ts';
import { whyUnusable } from './runs-folder.ts';
import { workerName } from './worker-name.ts';
import type { WorkerMemory, WorkerOutcome } from './worker-types.ts';

/** The times of a run folder's lock that fit the lock of a queue: a folder is given up later than its job. */
export const folderLockTimes = (lockMs: number): Required<LockTimes> => ({
  staleMs: 1.5 * lockMs,
  heartbeatMs: Math.min(2_000, lockMs / 30),
});

/**
 * Makes the run of a job.
 *
 * @throws InputError if the job is damaged
 */
export async function makeRun(
  job: BullJob,
  options: WorkerMemory & { readonly cancelled: boolean },
): Promise<WorkerOutcome> {
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
async function filesOf({ config }: QueuedJob, { find, dataDirectory: data }: WorkerMemory): Promise<Files> {
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
