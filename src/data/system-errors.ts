// The words for errors of the operating system, so that no raw one reaches a user.
import { InputError } from '../core/errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'permission is denied',
  ENOENT: 'it does not exist',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder, not a file',
  EEXIST: 'a file of that name is in the way',
  ENOTEMPTY: 'a folder of that name is in the way',
  ELOOP: 'its links lead round in a circle',
  ENAMETOOLONG: 'its name is too long for this system',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this disk is used up',
  EFBIG: 'the file would be too large for this disk',
  EROFS: 'the disk can only be read',
  EIO: 'the disk does not read or write it; it may be failing',
  EMFILE: 'too many files are open',
  ENFILE: 'too many files are open',
  EBUSY: 'another program is using it',
  ENXIO: 'it is a socket or a device that nothing answers',
  ERR_INVALID_ARG_VALUE: 'its name holds a zero byte',
};

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** Why the operating system refused, in words; null for errors of another origin. */
export function systemReason(error: unknown): string | null {
  const code = codeOf(error);
  if (code === undefined) return null;
  if (code in REASONS) return REASONS[code];
  return 'syscall' in (error as Error) && 'errno' in (error as Error) ? `the system answered ${code}` : null;
}

/**
 * Does something with files; an error of the operating system becomes an InputError that names the file.
 *
 * @param where what is named if the error names no file
 */
export async function explainingErrors<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    const { path, code } = error as NodeJS.ErrnoException;
    throw new InputError(`${path ?? where} cannot be used: ${reason} (${code}). Mend that, or name another place.`, {
      cause: error,
    });
  }
}
