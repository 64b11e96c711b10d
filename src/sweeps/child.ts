// One run of a sweep in a process of its own, which talks to the process that started it.
import process from 'node:process';
import { InputError, messageOf } from '../core/errors.ts';
import { systemCause } from '../core/system-errors.ts';
import { InUseError } from '../files/lock.ts';
import type { TrainConfig } from '../training/config/config.ts';
import { type JobEvent, type JobTask, runJob } from './job.ts';
import { type Provenance, provenanceHere, whyRefused } from './provenance.ts';

/** How a run's process starts its backend. */
export interface ChildBackend {
  readonly threads: number;
  /** See `EngineOptions`. */
  readonly revectorize?: boolean;
  /** See `StartOptions`. */
  readonly kernels?: string;
}

/** What a process is sent that makes one run. */
export type ToChild =
  | {
      readonly kind: 'run';
      readonly task: JobTask;
      readonly backend: ChildBackend;
      /** What this process has to compute like; it refuses the run if it differs. */
      readonly provenance?: Provenance;
    }
  /** Stop at the next safe point. */
  | { readonly kind: 'stop' };

/** How a run ended in its process. */
export type ChildOutcome =
  | { readonly kind: 'done' }
  /** The run is saved, and continues when the same task is run again. */
  | { readonly kind: 'interrupted' }
  /** Nothing was done: results here would differ, or something is missing here. `lasting`: it stays so while this version runs. */
  | { readonly kind: 'refused'; readonly message: string; readonly lasting: boolean }
  /** Another process makes the run. */
  | { readonly kind: 'in use'; readonly message: string }
  /** `final`: every repetition would fail in the same way. */
  | { readonly kind: 'failed'; readonly message: string; readonly final: boolean };

/** What that process answers. */
export type FromChild =
  | { readonly kind: 'event'; readonly event: JobEvent }
  | { readonly kind: 'end'; readonly outcome: ChildOutcome };

/** Starts the backend of a configuration, and says with which build of the engine's kernels, if with any. */
type Start = (
  config: TrainConfig,
  options: ChildBackend & { readonly warn: (message: string) => void },
) => Promise<{ readonly kernels: string | null }>;

/**
 * Makes the run that the parent process sends, tells it what happens, and ends. If the parent has ended, the run stops at
 * the next safe point and is saved.
 *
 * @param signal stops the run at the next safe point, as the parent can too
 */
export async function serveJob(start: Start, signal: AbortSignal): Promise<void> {
  const abort = new AbortController();
  // A parent that has ended hears nothing; the callback takes the error that says so.
  const tell = (message: FromChild): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  process.on('disconnect', () => abort.abort());
  const sent = await new Promise<ToChild & { kind: 'run' }>((resolve) => {
    process.on('message', (message: ToChild) => {
      if (message.kind === 'stop') abort.abort();
      else resolve(message);
    });
  });
  const options = {
    signal: AbortSignal.any([signal, abort.signal]),
    onEvent: (event: JobEvent): void => tell({ kind: 'event', event }),
  };
  const outcome = await makeRun(start, sent, options).catch(outcomeOf);
  tell({ kind: 'end', outcome });
  if (process.connected) process.disconnect();
}

async function makeRun(
  start: Start,
  { task, backend, provenance }: ToChild & { kind: 'run' },
  options: { readonly signal: AbortSignal; readonly onEvent: (event: JobEvent) => void },
): Promise<ChildOutcome> {
  const warn = (message: string): void => options.onEvent({ kind: 'warning', message });
  const starting = start(task.config, { ...backend, warn });
  if (provenance !== undefined) {
    try {
      const { kernels } = await starting;
      const here = await provenanceHere(task.config, { kernels, dataDirectory: task.dataDirectory });
      const reason = whyRefused(provenance, here);
      if (reason !== null) return { kind: 'refused', message: reason, lasting: provenance.data === here.data };
    } catch (error) {
      // A backend or a data set that is missing here may be there on another machine.
      if (error instanceof InputError) return { kind: 'refused', message: error.message, lasting: false };
      throw error;
    }
  }
  await starting;
  return { kind: await runJob(task, options) };
}

/** What an error says of the run: whether another machine, or a later time, could do better. */
function outcomeOf(error: unknown): ChildOutcome {
  const message = messageOf(error);
  if (error instanceof InUseError) return { kind: 'in use', message };
  return { kind: 'failed', message, final: error instanceof InputError && systemCause(error) === null };
}
