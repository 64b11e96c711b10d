// What a worker is started with, and what it tells.
import type { ChildOutcome } from '../child.ts';
import type { JobEvent } from '../job.ts';
import type { FindContent } from './content.ts';

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

/** A worker's options and what it remembers from job to job. */
export interface WorkerMemory extends WorkerOptions {
  readonly find: FindContent;
  /** Reasons for which jobs were refused here, by what they were queued for. */
  readonly refusals: Map<string, string>;
}
