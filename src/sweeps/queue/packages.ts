// The packages of the queue, which are loaded only when a queue is asked for: nobody needs them on one machine.
import type * as BullMQ from 'bullmq';
import type { Redis } from 'ioredis';
import { InputError } from '../../core/errors.ts';
import { installCommand } from '../../core/shell.ts';

export interface QueuePackages {
  readonly bullmq: typeof BullMQ;
  readonly Redis: typeof Redis;
}

/** Loads a package; the compiler does not look for it. */
type Load = (name: string) => Promise<unknown>;

/**
 * BullMQ, and the client of the server that it uses.
 *
 * @throws InputError with the command that installs them, if they are missing
 */
export async function loadQueuePackages(load: Load = (name) => import(name)): Promise<QueuePackages> {
  try {
    const [bullmq, ioredis] = await Promise.all([load('bullmq'), load('ioredis')]);
    return { bullmq: bullmq as typeof BullMQ, Redis: (ioredis as { readonly Redis: typeof Redis }).Redis };
  } catch (error) {
    if (!['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
    throw new InputError(
      `A queue needs the packages bullmq and ioredis, which are not installed. Install them: ${installCommand('bullmq@6', 'ioredis@5')}`,
      { cause: error },
    );
  }
}
