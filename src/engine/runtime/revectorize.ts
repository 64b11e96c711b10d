// Decides whether the build for 256-bit instructions is used, by a trial in a process of its own.
import { execFile } from 'node:child_process';
import { execPath, versions } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasRelaxedSimd } from './wasm.ts';

/** How the build `relaxed-revec` compares with `relaxed`, as the trial prints it. */
export interface Trial {
  /** Largest relative l2 distance between results. */
  readonly difference: number;
  /** Time of the ordinary build over that of the other. */
  readonly speedUp: number;
}

/** Another order of sums rounds differently by less. */
const SAME = 1e-5;
/** A smaller gain is not worth an experimental compiler. */
const FASTER = 1.05;
const TIMEOUT_MS = 60_000;

let outcome: Promise<string | null> | undefined;

/**
 * Why the build `relaxed-revec` should not be used here; null if it computes the same as `relaxed` and faster. V8's flag
 * is experimental: it may give up without a word, or end the process. Hence a trial in a process of its own, once.
 */
export function whyNotRevectorized(): Promise<string | null> {
  outcome ??= tryOut();
  return outcome;
}

async function tryOut(): Promise<string | null> {
  if (!hasRelaxedSimd()) return `Node ${versions.node} has no relaxed SIMD; Node 24 has it`;
  const script = fileURLToPath(new URL('./revectorize-trial.js', import.meta.url));
  let trial: Trial;
  try {
    const { stdout } = await promisify(execFile)(execPath, [script], { timeout: TIMEOUT_MS });
    trial = JSON.parse(stdout);
  } catch (thrown) {
    const { signal, code } = thrown as { readonly signal?: string | null; readonly code?: number | string };
    return `the process that tried it out ended by ${signal ?? `code ${code}`}`;
  }
  return judge(trial);
}

/** What speaks against the build after a trial; null if nothing. */
export function judge({ difference, speedUp }: Trial): string | null {
  if (!(difference <= SAME)) return `its results differ by ${difference}`;
  if (!(speedUp >= FASTER)) return `it is not faster here (${speedUp.toFixed(2)} times as fast, less than ${FASTER})`;
  return null;
}
