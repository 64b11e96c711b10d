// The process of one run, as the process sees it that starts it.
import { fork } from 'node:child_process';
import type { ChildOutcome, FromChild, ToChild } from './child.ts';
import type { JobOptions } from './job.ts';

/** Characters of what a process wrote to standard error that are kept, the last ones. */
const MOST_COMPLAINT = 2000;

/** Signals that end a process which has not begun to listen yet; its run is left as it was. */
const STOPPING: ReadonlySet<NodeJS.Signals> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Makes a run in a process of its own.
 *
 * @param entry the module that the process runs; it calls `serveJob`
 * @param onStart called with the process's number
 */
export function runInChild(
  entry: URL,
  run: Omit<ToChild & { readonly kind: 'run' }, 'kind'>,
  { signal, onEvent, onStart }: JobOptions & { readonly onStart?: (pid: number | undefined) => void },
): Promise<ChildOutcome> {
  return new Promise((resolve, reject) => {
    const child = fork(entry, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    onStart?.(child.pid);
    const send = (message: ToChild): void => void (child.connected && child.send(message, () => {}));
    const stop = () => send({ kind: 'stop' });
    let complaint = '';
    child.stderr?.on('data', (text: Buffer) => {
      complaint = (complaint + text.toString()).slice(-MOST_COMPLAINT);
    });
    let outcome: ChildOutcome | null = null;
    child.on('message', (message: FromChild) => {
      if (message.kind === 'event') onEvent?.(message.event);
      else outcome = message.outcome;
    });
    child.on('error', reject);
    child.on('close', (code, name) => {
      signal?.removeEventListener('abort', stop);
      const said = complaint.trim();
      if (outcome !== null) {
        // Such as a warning of Node or of a library.
        if (said !== '' && outcome.kind !== 'failed') onEvent?.({ kind: 'warning', message: said });
        resolve(outcome);
      } else if (name !== null && STOPPING.has(name)) resolve({ kind: 'interrupted' });
      else {
        const message = `The process of this run ended early (${name ?? `exit code ${code}`}). ${said}`.trim();
        resolve({ kind: 'failed', message, final: false });
      }
    });
    signal?.addEventListener('abort', stop);
    send({ kind: 'run', ...run });
    if (signal?.aborted) stop();
  });
}
