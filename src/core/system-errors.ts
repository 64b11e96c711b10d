// What the operating system refuses, in words. Errors are told by their codes alone, so nothing of Node is needed here.
import { InputError } from './errors.ts';

/** An error of the operating system, as Node throws it. */
export interface SystemError extends Error {
  readonly code: string;
  /** The file, if the error names one. */
  readonly path?: string;
}

interface Refusal {
  readonly reason: string;
  /** What a user can do about it, as a sentence. */
  readonly remedy: string;
}

const PERMISSION: Refusal = {
  reason: 'permission is denied',
  remedy: 'Change the permissions, or choose another place.',
};
const IN_THE_WAY = 'Move it away, or choose another place.';
const SPACE = 'Free some space, then repeat the command.';

const REFUSALS: Readonly<Record<string, Refusal>> = {
  EACCES: PERMISSION,
  EPERM: PERMISSION,
  ENOENT: { reason: 'it does not exist', remedy: 'Check the path; it may have been removed meanwhile.' },
  ENOTDIR: { reason: 'a part of the path is a file, not a folder', remedy: 'Choose another place.' },
  EISDIR: { reason: 'it is a folder, not a file', remedy: IN_THE_WAY },
  EEXIST: { reason: 'something else of that name is in the way', remedy: IN_THE_WAY },
  ENOTEMPTY: { reason: 'a folder of that name is in the way', remedy: IN_THE_WAY },
  ELOOP: { reason: 'its links lead round in a circle', remedy: 'Choose another place.' },
  ENAMETOOLONG: { reason: 'its name is too long for this system', remedy: 'Choose a shorter one.' },
  ENOSPC: { reason: 'the disk is full', remedy: SPACE },
  EDQUOT: { reason: 'the quota of this disk is used up', remedy: SPACE },
  EFBIG: { reason: 'the file would be too large for this disk', remedy: 'Choose another place.' },
  EROFS: { reason: 'the disk can only be read', remedy: 'Choose another place.' },
  EIO: {
    reason: 'the disk does not read or write it; it may be failing',
    remedy: 'Check the disk and its connection, then repeat the command.',
  },
  EMFILE: { reason: 'too many files are open', remedy: 'Raise the limit of this process with `ulimit -n`.' },
  ENFILE: { reason: 'too many files are open', remedy: 'Close other programs.' },
  ESTALE: { reason: 'the file server no longer knows it', remedy: 'Check the server, then repeat the command.' },
  EBUSY: { reason: 'another program is using it', remedy: 'End that program, or choose another place.' },
  ENXIO: { reason: 'it is a socket or a device that nothing answers', remedy: 'Choose another place.' },
  ERR_INVALID_ARG_VALUE: { reason: 'its name holds a zero byte', remedy: 'Choose another name.' },
};

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** True for an error of the operating system. */
export function isSystemError(error: unknown): error is SystemError {
  const code = codeOf(error);
  return code !== undefined && (code in REFUSALS || 'syscall' in (error as Error));
}

/** The operating system's error that caused another, however often it was thrown anew; null if none did. */
export function systemCause(error: unknown): SystemError | null {
  if (isSystemError(error)) return error;
  return error instanceof Error && error.cause !== undefined ? systemCause(error.cause) : null;
}

const refusalOf = ({ code }: SystemError): Refusal =>
  REFUSALS[code] ?? { reason: `the system answered ${code}`, remedy: 'Check the path and the disk.' };

/** Why the operating system refused, in words; null for errors of another origin. */
export const systemReason = (error: unknown): string | null => (isSystemError(error) ? refusalOf(error).reason : null);

/** True if an error says that there is no such file. */
export const isMissing = (error: unknown): boolean => codeOf(error) === 'ENOENT';

/** True if an error says that a part of a path is a file where a folder is expected. */
export const isBelowFile = (error: unknown): boolean => codeOf(error) === 'ENOTDIR';

/** A refusal of the operating system as an InputError that names the file; any other error as it is. */
export function inWords(path: string, done: 'read' | 'written' | 'used', error: unknown): unknown {
  if (!isSystemError(error)) return error;
  // Node does not say which file it is once that is open.
  if (error.path === undefined) Object.assign(error, { path });
  const { reason, remedy } = refusalOf(error);
  return new InputError(`${path} cannot be ${done}: ${reason} (${error.code}). ${remedy}`, { cause: error });
}

/**
 * The result of reading a file.
 *
 * @param path the file, as messages call it
 * @throws InputError if the operating system refuses it
 */
export const reading = <T>(path: string, work: () => Promise<T>): Promise<T> =>
  work().catch((error) => Promise.reject(inWords(path, 'read', error)));

/**
 * The result of writing a file.
 *
 * @param path the file, as messages call it
 * @throws InputError if the operating system refuses it
 */
export const writing = <T>(path: string, work: () => Promise<T>): Promise<T> =>
  work().catch((error) => Promise.reject(inWords(path, 'written', error)));

/**
 * The result of work with several files.
 *
 * @param where what messages name if the error names no file
 * @throws InputError if the operating system refuses one of them
 */
export const explainingErrors = <T>(where: string, work: () => Promise<T>): Promise<T> =>
  work().catch((error) => Promise.reject(inWords((isSystemError(error) && error.path) || where, 'used', error)));
