// Reading a whole file that a user named or left in a folder: only regular files, only up to a size, and never a raw error.
import { InputError } from '../../core/errors.ts';
import { systemReason } from '../../core/system-errors.ts';
import { readRegular } from '../../files/regular-file.ts';

/**
 * The bytes of a file.
 *
 * @param limit bytes
 * @param advice what to do about a larger file, without its full stop
 * @throws InputError naming the file, if it is missing, cannot be read, is no regular file, or is larger
 */
export async function readRegularFile(path: string, limit: number, advice: string): Promise<Buffer> {
  try {
    return await readRegular(path, limit, `${advice}.`);
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new InputError(`${path} cannot be read: ${reason}.`, { cause: error });
  }
}
