// A backend and a bar around one call of the library, as most commands have them.
import type { BACKEND_FLAGS, FlagValues } from './flags/flags.ts';
import { startFromFlags } from './start.ts';
import { type Progress, rateOf, showProgress } from './terminal/progress-bar.ts';
import type { Terminal } from './terminal/terminal.ts';

/**
 * Starts the backend that the flags choose, and shows a bar until `work` ends, however it ends.
 *
 * @param unit what the bar counts, such as `image`
 */
export async function withBar<T>(
  flags: FlagValues<typeof BACKEND_FLAGS>,
  unit: string,
  terminal: Terminal,
  work: (bar: Progress) => Promise<T>,
): Promise<T> {
  await startFromFlags(flags, terminal);
  const bar = await showProgress(terminal, rateOf(unit));
  try {
    return await work(bar);
  } finally {
    bar.stop();
  }
}
