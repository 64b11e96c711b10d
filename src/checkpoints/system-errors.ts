// What the operating system refuses, in words: every file operation of a run goes through `reading` or `writing`.
import { readFile } from 'node:fs/promises';
import { InputError } from '../core/errors.ts';

/** What a user can do about a refusal, by the system's code. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'The disk is full: free some space, then repeat the command.',
  EDQUOT: 'The quota of the disk is used up: free some space, then repeat the command.',
  EIO: 'The disk or its connection reports a fault: check it, then repeat the command.',
  EACCES: 'Permission is denied: change the permissions, or choose another place.',
  EPERM: 'Permission is denied: change the permissions, or choose another place.',
  EROFS: 'The file system is read-only: choose another place.',
  EISDIR: 'A file is expected, and this is a folder: move it away, or choose another place.',
  ENOTDIR: 'A part of the path is a file where a folder is expected: choose another place.',
  EEXIST: 'Something else has this name: move it away, or choose another place.',
  ENOTEMPTY: 'A file is expected, and this is a folder: move it away, or choose another place.',
  ENOENT: 'It is missing, or was removed meanwhile.',
  ENAMETOOLONG: 'The name is too long for the file system: choose a shorter one.',
  ELOOP: 'Its links lead in a circle: choose another place.',
  EMFILE: 'The process has too many files open: raise the limit with `ulimit -n`.',
  ENFILE: 'The system has too many files open: close other programs.',
  ESTALE: 'The file server no longer knows the file: check it, then repeat the command.',
  EBUSY: 'Another program uses it: end that program, or choose another place.',
};

/** Whether an error is a refusal of the operating system. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && (error as NodeJS.ErrnoException).syscall !== undefined;

/** Whether an error says that there is no such file. */
export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException)?.code === 'ENOENT';

/** Whether an error says that a part of a path is a file where a folder is expected. */
export const isBelowFile = (error: unknown): boolean => (error as NodeJS.ErrnoException)?.code === 'ENOTDIR';

/** A refusal of the operating system as an InputError; any other error as it is. */
export function inWords(path: string, done: 'read' | 'written' | 'used', error: unknown): unknown {
  if (!isSystemError(error)) return error;
  const remedy = REMEDIES[error.code ?? ''] ?? 'Check the path and the disk.';
  return new InputError(`${path} cannot be ${done} (${error.message}). ${remedy}`, { cause: error });
}

/**
 * The result of reading a file.
 *
 * @param path the file, as messages call it
 * @throws InputError where the operating system refuses it
 */
export const reading = <T>(path: string, work: () => Promise<T>): Promise<T> =>
  work().catch((error) => Promise.reject(inWords(path, 'read', error)));

/**
 * The result of writing a file.
 *
 * @param path the file, as messages call it
 * @throws InputError where the operating system refuses it
 */
export const writing = <T>(path: string, work: () => Promise<T>): Promise<T> =>
  work().catch((error) => Promise.reject(inWords(path, 'written', error)));

/** The text of a file, or null if there is no such file. */
export const readIfThere = (path: string): Promise<string | null> =>
  reading(path, () => readFile(path, 'utf8').catch((error) => (isMissing(error) ? null : Promise.reject(error))));
