// Starts the backend that a command's flags name.
import { type StartedBackend, startBackend } from '../backends/start.ts';
import type { BACKEND_FLAGS, FlagValues } from './flags/flags.ts';
import type { Terminal } from './terminal/terminal.ts';

/**
 * Starts a backend as the flags of a command say.
 *
 * @param choice the backend's name, or auto; default: that of the flags
 * @throws UsageError for flags that contradict each other; InputError if the backend does not start
 */
export const startFromFlags = (
  { backend = 'auto', threads, kernels, revectorize }: FlagValues<typeof BACKEND_FLAGS>,
  { warn }: Pick<Terminal, 'warn'>,
  choice: string = backend,
): Promise<StartedBackend> => startBackend(choice, { threads, kernels, revectorize, warn });
