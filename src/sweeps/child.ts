import process from 'node:process';
import type { TrainConfig } from '../training/config.ts';
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

/**
 * Makes the run that the parent process sends, tells it what happens, and ends.
 *
 * @param start starts the backend of a configuration
 */
export function serveJob(start: (config: TrainConfig, options: ChildBackend) => Promise<unknown>): void {
  const abort = new AbortController();
  const tell = (message: FromChild): void => void process.send?.(message);
  // The parent decides when to stop; a Ctrl-C goes to it too.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => abort.abort());
  process.on('message', async (message: ToChild) => {
    if (message.kind === 'stop') {
      abort.abort();
      return;
    }
    try {
      await start(message.task.config, message.backend);
      const status = await runJob(message.task, {
        signal: abort.signal,
        onEvent: (event) => tell({ kind: 'event', event }),
      });
      tell({ kind: 'end', status });
    } catch (error) {
      tell({ kind: 'error', message: error instanceof Error ? error.message : String(error) });
    } finally {
      if (process.connected) process.disconnect();
    }
  });
}
