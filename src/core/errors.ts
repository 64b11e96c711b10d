/**
 * A mistake of the caller's: a wrong shape, range, file or option. Its message says what was expected, what came and
 * what to do; the command line prints it without a stack trace.
 */
export class InputError extends Error {
  override readonly name: string = 'InputError';
}

/** A wrong use of the command line or of a configuration; the command line ends with exit code 2. */
export class UsageError extends InputError {
  override readonly name = 'UsageError';
}

/** Work that stopped before its end as it was told to, and can be continued; the command line ends with exit code 75. */
export class StoppedEarly extends InputError {
  override readonly name = 'StoppedEarly';
}

/** Memory that a backend has not got; thrown before anything was changed. */
export class OutOfMemoryError extends InputError {}

/** What engines of JavaScript, TensorFlow and WebGPU say if they cannot get memory. */
const NO_MEMORY =
  /^Array buffer allocation failed|^Invalid (typed )?array (buffer )?length|OOM when allocating|ResourceExhausted|out of memory/i;

/** Whether an error, or what caused it, is a lack of memory. */
export function isOutOfMemory(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error instanceof OutOfMemoryError || NO_MEMORY.test(error.message) || isOutOfMemory(error.cause);
}
