// The flags of commands that use a queue, and the queue that they name.
import process from 'node:process';
import { UsageError } from '../../core/errors.ts';
import { PASSWORD_VARIABLE, parseAddress, QUEUE_VARIABLE, type QueueAddress } from '../../sweeps/queue/address.ts';
import type { Flags } from './flags.ts';

export const QUEUE_FLAGS = {
  queue: {
    kind: 'optional text',
    description: `a queue on Redis or Valkey, redis://HOST:PORT; without a value, that of the variable ${QUEUE_VARIABLE}`,
  },
} as const satisfies Flags;

/**
 * The address of a command's queue, its password taken from the environment if the address has none.
 *
 * @param given by the flag; empty or absent: the environment says
 * @throws UsageError if neither names a queue
 */
export function addressOf(given: string | undefined): QueueAddress {
  const url = given || process.env[QUEUE_VARIABLE];
  if (!url) throw new UsageError(`A queue is missing: give --queue redis://HOST:PORT, or set ${QUEUE_VARIABLE}.`);
  return parseAddress(url, process.env[PASSWORD_VARIABLE]);
}
