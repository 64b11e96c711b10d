// One run of a sweep in a process of its own, which talks to the sweep's process.
import process from 'node:process';
import type { TrainConfig } from '../training/config/config.ts';
import { type JobEvent, type JobTask, runJob } from './job.ts';

/** How a run's process starts its backend. */
export interface ChildBackend {
  readonly threads: number;
  /** See `EngineOptions`. */
  readonly revectorize: boolean;
}

/** What a sweep sends to a process that makes one of its runs. */
export type ToChild =
  | { readonly kind: 'run'; readonly task: JobTask; readonly backend: ChildBackend }
  /** Stop at the next safe point. */
  | { readonly kind: 'stop' };

/** What that process answers. */
export type FromChild =
  | { readonly kind: 'event'; readonly event: JobEvent }
  | { readonly kind: 'end'; readonly status: 'done' | 'interrupted' }
  | { readonly kind: 'error'; readonly message: string };

/** Starts the backend of a configuration. */
type Start = (
  config: TrainConfig,
  options: ChildBackend & { readonly warn: (message: string) => void },
) => Promise<unknown>;

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
  const { task, backend } = await new Promise<ToChild & { kind: 'run' }>((resolve) => {
    process.on('message', (message: ToChild) => {
      if (message.kind === 'stop') abort.abort();
      else resolve(message);
    });
  });
  const onEvent = (event: JobEvent): void => tell({ kind: 'event', event });
  try {
    await start(task.config, { ...backend, warn: (message) => onEvent({ kind: 'warning', message }) });
    const status = await runJob(task, { signal: AbortSignal.any([signal, abort.signal]), onEvent });
    tell({ kind: 'end', status });
  } catch (error) {
    tell({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
  } finally {
    if (process.connected) process.disconnect();
  }
}
