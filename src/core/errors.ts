// The errors that users cause, and the error of work that was asked to stop.

/**
 * A mistake of the caller: a wrong shape, range, file or option. The message says what was expected, what Equipoise got and
 * what to do. The command line prints it without a stack trace.
 */
export class InputError extends Error {
  override readonly name: string = 'InputError';
}

/** Wrong use of the command line or of a configuration. The command line then ends with exit code 2. */
export class UsageError extends InputError {
  override readonly name = 'UsageError';
}

/** Work that was asked to stop before its end and can be continued. The command line then ends with exit code 75. */
export class StoppedEarly extends InputError {
  override readonly name = 'StoppedEarly';
}

/** Memory that a backend has not got; thrown before anything was changed. */
export class OutOfMemoryError extends InputError {}

/** What engines of JavaScript, TensorFlow and WebGPU say if they cannot get memory. */
const NO_MEMORY =
  /^Array buffer allocation failed|^Invalid (typed )?array (buffer )?length|OOM when allocating|ResourceExhausted|out of memory/i;

/** True if an error, or what caused it, is a lack of memory. */
export function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof OutOfMemoryError || NO_MEMORY.test(error.message) || isOutOfMemory(error.cause);
}

/** What is said of anything that was thrown, an error or not. */
export const messageOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
