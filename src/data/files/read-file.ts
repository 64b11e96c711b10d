// Reading a whole file that a user named or left in a folder: only regular files, only up to a size, and never a raw error.
import { open, stat } from 'node:fs/promises';
import { InputError } from '../../core/errors.ts';
import { systemReason } from '../../core/system-errors.ts';
import { otherThanFile } from '../../files/regular-file.ts';
import { MOST_AT_ONCE, megabytes } from './limits.ts';

/**
 * The bytes of a file.
 *
 * @param limit bytes
 * @param advice what to do about a larger file, without its full stop
 * @throws InputError naming the file, if it is missing, cannot be read, is no regular file, or is larger
 */
export async function readRegularFile(path: string, limit: number, advice: string): Promise<Buffer> {
  try {
    const found = await stat(path);
    const other = otherThanFile(found);
    if (other !== null) throw new InputError(`${path} is ${other}; expected a file.`);
    if (found.size > limit) {
      throw new InputError(`${path} has ${megabytes(found.size)}; expected at most ${megabytes(limit)}. ${advice}.`);
    }
    return await readBytes(path, found.size);
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new InputError(`${path} cannot be read: ${reason}.`, { cause: error });
  }
}

/** The first `size` bytes of a file, in pieces that Node can read. */
async function readBytes(path: string, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  const file = await open(path, 'r');
  try {
    for (let done = 0; done < size; ) {
      const { bytesRead } = await file.read(bytes, done, Math.min(MOST_AT_ONCE, size - done), done);
      if (bytesRead === 0) throw new InputError(`${path} became shorter while it was read. Try again.`);
      done += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
