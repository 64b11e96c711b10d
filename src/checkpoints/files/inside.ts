// Reads a file that a model names, if it is a regular file inside the model's folder and not too large. A name or a link
// that leads elsewhere is refused, so a downloaded model cannot make a program read other files or devices.
import { realpath } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { inWords, isMissing, reading } from '../../core/system-errors.ts';
import { dataLimits, RAISE_LIMIT } from '../../data/files/limits.ts';
import { readRegular } from '../../files/regular-file.ts';

/** V8 makes no longer text. */
const LONGEST_TEXT = 2 ** 29 - 24;

/** The largest `model.json` that is read, in bytes. */
export const largestModelJson = (): number => Math.min(dataLimits().unpacked, LONGEST_TEXT);

/** The largest files of weights that are read, in bytes; of a model all its files together. */
export const largestWeights = (): number => dataLimits().total;

/**
 * The bytes of a regular file.
 *
 * @throws InputError if it cannot be read, or has more than `largest` bytes
 */
export const readWhole = (path: string, largest: number): Promise<Uint8Array> =>
  reading(path, () => readRegular(path, largest, `${RAISE_LIMIT}.`));

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
    throw inWords(`${join(folder, name)}, which ${source} names,`, 'read', error);
  }
  return path;
}
