// The errors that end a training.
import { InputError } from '../core/errors.ts';

/** The loss or the weights of a training are no longer finite. The last good checkpoint is kept. */
export class DivergenceError extends InputError {
  override readonly name = 'DivergenceError';
}

/** The run was asked to stop. The code that catches this error saves the work so far. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Interrupted('The run was interrupted.');
}
