// A sweep whose runs are made by the workers of a queue: put in, followed, shown and cancelled from here.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { counted, plural } from '../core/quantities.ts';
import type { Job } from '../sweeps/grid.ts';
import { isDone, type JobEvaluation } from '../sweeps/job.ts';
import { type Provenance, provenanceHere } from '../sweeps/provenance.ts';
import { type QueueAddress, showAddress } from '../sweeps/queue/address.ts';
import { cancel, enqueue, type QueuedRun, queuedRun, unfinished } from '../sweeps/queue/enqueue.ts';
import { follow, type QueueView, type RunningJob, viewOf } from '../sweeps/queue/follow.ts';
import { queuedJob } from '../sweeps/queue/job-data.ts';
import { type OpenQueue, openQueue } from '../sweeps/queue/open.ts';
import type { SweepResult } from '../sweeps/sweep.ts';
import { duration } from './terminal/format.ts';
import type { Terminal } from './terminal/terminal.ts';

/** What a sweep hands to a queue. */
export interface QueueSweep {
  readonly jobs: readonly Job[];
  readonly evaluation: JobEvaluation | null;
  readonly out: string;
  readonly dataDirectory: string | undefined;
  /** The build of the engine's kernels that this machine would use; null for another backend. */
  readonly kernels: string | null;
  /** False: the runs are put in, and the sweep ends. */
  readonly follow: boolean;
}

export interface QueueSweepResult extends SweepResult {
  /** The runs of `left` that were cancelled. */
  readonly cancelled: readonly Job[];
  /** The warnings of the runs, as their workers reported them. */
  readonly warnings: readonly { readonly run: string; readonly message: string }[];
}

/** Puts the missing runs of a sweep into a queue, and follows them until they have ended or this command is left. */
export async function sweepOnQueue(
  address: QueueAddress,
  sweep: QueueSweep,
  terminal: Terminal,
): Promise<QueueSweepResult> {
  const runs = await queuedRuns(sweep);
  const isComplete = ({ name, data: { config, evaluation } }: QueuedRun): Promise<boolean> =>
    isDone({ config, evaluation, out: join(sweep.out, name) });
  const before: Job[] = [];
  const missing: { readonly job: Job; readonly run: QueuedRun }[] = [];
  for (const entry of runs) {
    if (await isComplete(entry.run)) before.push(entry.job);
    else missing.push(entry);
  }
  const nothing = { before, done: [], failed: [], left: missing.map(({ job }) => job), cancelled: [], warnings: [] };
  if (missing.length === 0) return nothing;
  const queue = await openQueue(address, terminal.warn);
  try {
    const added = await enqueue(
      queue,
      missing.map(({ run }) => run),
    );
    terminal.note(
      `${plural(runs.length, 'run')}, ${before.length} done before; ${added} added to the queue ${showAddress(address)}, ${missing.length - added} in it before`,
    );
    return sweep.follow ? await followed(queue, { before, missing, isComplete }, terminal) : nothing;
  } finally {
    await queue.close();
  }
}

async function queuedRuns({
  jobs,
  evaluation,
  kernels,
  dataDirectory,
}: QueueSweep): Promise<{ readonly job: Job; readonly run: QueuedRun }[]> {
  const provenances = new Map<string, Provenance>();
  const runs: { job: Job; run: QueuedRun }[] = [];
  for (const job of jobs) {
    const { dataset } = job.config;
    const provenance = provenances.get(dataset) ?? (await provenanceHere(job.config, { kernels, dataDirectory }));
    provenances.set(dataset, provenance);
    runs.push({ job, run: queuedRun(job, queuedJob(job.config, evaluation, provenance)) });
  }
  return runs;
}

interface Followed {
  readonly before: readonly Job[];
  readonly missing: readonly { readonly job: Job; readonly run: QueuedRun }[];
  readonly isComplete: (run: QueuedRun) => Promise<boolean>;
}

async function followed(
  queue: OpenQueue,
  { before, missing, isComplete }: Followed,
  terminal: Terminal,
): Promise<QueueSweepResult> {
  const jobs = new Map(missing.map(({ job, run }) => [run.id, job]));
  const board = await showQueue(terminal);
  const told = new Set<string>();
  try {
    const outcomes = await follow(
      queue,
      missing.map(({ run }) => run),
      {
        isComplete,
        signal: terminal.signal,
        onEvent: (event) => {
          switch (event.kind) {
            case 'view':
              board.show(event.view, `${event.ended}/${event.total} runs ended`);
              break;
            case 'end': {
              const { outcome, run } = event;
              if (outcome.kind === 'failed') terminal.warn(`${run.name}: failed: ${outcome.message}`);
              else terminal.note(`${run.name}: ${outcome.kind}`);
              break;
            }
            case 'refused': {
              const text = `worker ${event.worker} gave back ${event.run.name}: ${event.reason}`;
              if (!told.has(text)) terminal.warn(text);
              told.add(text);
              break;
            }
            case 'refill':
              terminal.note(`${counted(event.count, 'run', ['was', 'were'])} missing in the queue, and added again`);
              break;
            default:
              event satisfies never;
          }
        },
      },
    );
    const ended = [...outcomes].map(([id, outcome]) => ({ job: jobs.get(id) as Job, outcome }));
    const of = (kind: string) => ended.filter(({ outcome }) => outcome.kind === kind).map(({ job }) => job);
    const done = of('done');
    const failed = ended.flatMap(({ job, outcome }) =>
      outcome.kind === 'failed' ? [{ job, message: outcome.message }] : [],
    );
    const settled = new Set<Job>([...done, ...failed.map(({ job }) => job)]);
    return {
      before,
      done,
      failed,
      left: missing.map(({ job }) => job).filter((job) => !settled.has(job)),
      cancelled: of('cancelled'),
      warnings: ended.flatMap(({ job, outcome }) =>
        outcome.kind === 'done' ? outcome.warnings.map((message) => ({ run: job.name, message })) : [],
      ),
    };
  } finally {
    board.stop();
  }
}

/** Shows all runs of a queue, whatever sweep they are of, until none waits or is under way. */
export async function watchQueue(address: QueueAddress, json: boolean, terminal: Terminal): Promise<void> {
  const queue = await openQueue(address, terminal.warn);
  const board = await showQueue(terminal);
  try {
    let view = await viewOf(queue);
    while (!terminal.signal.aborted && view.queued + view.runningCount > 0) {
      board.show(view, showAddress(address));
      await delay(1_000, undefined, { signal: terminal.signal }).catch(() => {});
      view = await viewOf(queue);
    }
    terminal.print(json ? JSON.stringify(view, null, 2) : summaryOf(view));
  } finally {
    board.stop();
    await queue.close();
  }
}

/**
 * Cancels runs of a queue.
 *
 * @param jobs those to cancel, with their evaluation; null for all that the queue holds
 */
export async function cancelOnQueue(
  address: QueueAddress,
  sweep: Pick<QueueSweep, 'jobs' | 'evaluation'> | null,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const queue = await openQueue(address, terminal.warn);
  try {
    // An id depends on configuration and evaluation alone.
    const unknown: Provenance = { version: '', backend: '', kernels: null, fingerprint: '', data: '' };
    const ids =
      sweep === null
        ? (await unfinished(queue)).map(({ id }) => id)
        : sweep.jobs.map((job) => queuedRun(job, queuedJob(job.config, sweep.evaluation, unknown)).id);
    const { removed, stopping } = await cancel(queue, ids);
    const text = `${removed} waiting runs removed, ${stopping} running ones stop and stay saved`;
    terminal.print(json ? JSON.stringify({ removed, stopping }, null, 2) : text);
  } finally {
    await queue.close();
  }
}

/** Output that is no terminal gets a line at most this often. */
const LINE_EVERY_MS = 30_000;

interface Board {
  show(view: QueueView, title: string): void;
  stop(): void;
}

/** A board at the foot of a terminal, or lines now and then where output is piped. */
async function showQueue({ screen, note }: Terminal): Promise<Board> {
  await screen?.start();
  let shownAt = performance.now();
  return {
    show: (view, title) => {
      if (screen !== null) {
        screen.draw(boardOf(view, title, screen.columns).join('\n'));
        return;
      }
      if (performance.now() - shownAt < LINE_EVERY_MS) return;
      shownAt = performance.now();
      note(`${title}; ${summaryOf(view)}`);
    },
    stop: () => screen?.clear(),
  };
}

/** The numbers of a queue in one line. */
export const summaryOf = ({ queued, runningCount, stalledCount, finished, failed }: QueueView): string =>
  `queue: ${queued} queued, ${runningCount} running, ${stalledCount} stalled, ${finished} finished, ${failed} failed`;

/** A queue as lines that fit a screen. */
export function boardOf(view: QueueView, title: string, columns: number): string[] {
  const others = view.runningCount - view.running.length;
  return [
    `${title}; ${summaryOf(view)}`,
    ...view.running.map((job) => `  ${lineOf(job)}`),
    ...(others > 0 ? [`  and ${others} more`] : []),
  ].map((line) => line.slice(0, Math.max(1, columns - 1)));
}

/** A run that a worker has, in one line. */
function lineOf({ name, progress, stalled }: RunningJob): string {
  if (progress === null) return `${name}${stalled ? ', stalled' : ''}`;
  const { worker, epoch, epochs, stage, secondsLeft } = progress;
  const where = stage === 'evaluating' ? 'evaluating' : `epoch ${epoch}/${epochs}`;
  const left = secondsLeft === null ? '' : `, ${duration(secondsLeft)} left`;
  return `${name} on ${worker}, ${where}${left}${stalled ? ', stalled: its worker gives no sign of life' : ''}`;
}
