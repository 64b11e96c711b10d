// Reading of a text file that may be missing.
import { isMissing, reading } from '../../core/system-errors.ts';
import { readText } from '../../files/regular-file.ts';

/** The text of a file, or null if there is no such file. */
export const readIfThere = (path: string): Promise<string | null> =>
  reading(path, () => readText(path).catch((error) => (isMissing(error) ? null : Promise.reject(error))));
