import { InputError } from '../core/errors.ts';

/** Training left the numbers that single precision holds; the last good checkpoint stands. */
export class DivergenceError extends InputError {
  override readonly name = 'DivergenceError';
}

/** The run was asked to stop; its work so far is saved by whoever catches this. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Interrupted('The run was interrupted.');
}
