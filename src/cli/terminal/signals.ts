// How every process answers SIGINT, SIGTERM and SIGHUP: the first stops its work at the next safe point, the next ends it.
import process from 'node:process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
type Stopping = (typeof SIGNALS)[number];

/** Exit code of a process that was interrupted and can be started again (EX_TEMPFAIL). */
export const INTERRUPTED = 75;

/** A terminal sends a signal to all of its processes, and npm, for one, passes it on once more at the same moment. */
const SAME_SIGNAL_MS = 100;

/** What signals ask of a process. */
export interface Interruption {
  /** Aborted by the first signal, with its name. */
  readonly signal: AbortSignal;
  /** Ends the process as the signal that stopped it asks; returns if none has come. */
  end(): void;
}

/**
 * Listens for the signals that ask a process to end.
 *
 * SIGHUP never ends the process at once: a terminal that closes sends it twice, and nobody is there to want it.
 *
 * @param onStop called once, when the process begins to stop
 */
export function listenForSignals(onStop: () => void): Interruption {
  const abort = new AbortController();
  let first: { readonly name: Stopping; readonly at: number } | null = null;
  for (const name of SIGNALS) {
    process.on(name, () => {
      if (first === null) {
        first = { name, at: performance.now() };
        onStop();
        abort.abort(name);
      } else if (name !== 'SIGHUP' && performance.now() - first.at > SAME_SIGNAL_MS) endBy(name);
    });
  }
  return {
    signal: abort.signal,
    end: () => {
      if (first !== null) endBy(first.name);
    },
  };
}

/** Ends the process: by the signal itself for SIGINT, as shells expect it (130); else by an exit code, which batch systems read. */
function endBy(name: Stopping): void {
  if (name !== 'SIGINT') process.exit(INTERRUPTED);
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}
