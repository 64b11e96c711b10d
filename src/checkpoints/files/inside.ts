// Reads a file that a model names, if it is a regular file inside the model's folder and not too large. A name or a link
// that leads elsewhere is refused, so a downloaded model cannot make a program read other files or devices.
import { open, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { isMissing } from '../../core/system-errors.ts';
import { dataLimits, MOST_AT_ONCE, megabytes, RAISE_LIMIT } from '../../data/files/limits.ts';

/** V8 makes no longer text. */
const LONGEST_TEXT = 2 ** 29 - 24;

/** The largest `model.json` that is read, in bytes. */
export const largestModelJson = (): number => Math.min(dataLimits().unpacked, LONGEST_TEXT);

/** The largest files of weights that are read, in bytes; of a model all its files together. */
export const largestWeights = (): number => dataLimits().total;

/** The bytes of a regular file, which has at most `largest` of them. */
export async function readWhole(path: string, largest: number): Promise<Uint8Array> {
  try {
    // Looked at first, since opening a pipe waits for its writer.
    const found = await stat(path);
    if (!found.isFile()) throw new InputError(`${path} is not a regular file. Give the file of a model.`);
    if (found.size > largest) throw tooLarge(path, found.size, largest);
    const file = await open(path, 'r');
    try {
      const bytes = new Uint8Array(found.size);
      for (let done = 0; done < bytes.length; ) {
        const { bytesRead } = await file.read(bytes, done, Math.min(MOST_AT_ONCE, bytes.length - done), done);
        if (bytesRead === 0) throw new InputError(`${path} became shorter while it was read. Try again.`);
        done += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${path} cannot be read: ${(error as Error).message}. Check the path.`, { cause: error });
  }
}

/** The error for a file that is larger than what is read. */
export const tooLarge = (path: string, size: number, largest: number): InputError =>
  new InputError(`${path} has ${megabytes(size)}; expected at most ${megabytes(largest)}. ${RAISE_LIMIT}.`);

/**
 * The path of a file that a model in `folder` names.
 *
 * @throws InputError if it is missing or lies outside the folder, also by way of a link
 */
export async function pathInside(folder: string, name: string, source: string): Promise<string> {
  const outside = new InputError(
    `${source} names the file ${name}, which lies outside its folder. Equipoise reads only files inside that: put the file there.`,
  );
  const leaves = (path: string): boolean => isAbsolute(path) || path.split(/[\\/]/)[0] === '..';
  if (name.includes('\0') || isAbsolute(name) || leaves(relative(folder, join(folder, name)))) throw outside;
  let path: string;
  try {
    path = await realpath(join(folder, name));
    if (leaves(relative(await realpath(folder), path))) throw outside;
  } catch (error) {
    if (error instanceof InputError) throw error;
    if (isMissing(error)) {
      throw new InputError(`${source} names the file ${name}, which is missing beside it. Copy the whole folder.`, {
        cause: error,
      });
    }
    throw new InputError(`${source} names the file ${name}, which cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  return path;
}
