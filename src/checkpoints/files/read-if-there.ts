// Reading of a text file that may be missing.
import { readFile } from 'node:fs/promises';
import { isMissing, reading } from '../../core/system-errors.ts';

/** The text of a file, or null if there is no such file. */
export const readIfThere = (path: string): Promise<string | null> =>
  reading(path, () => readFile(path, 'utf8').catch((error) => (isMissing(error) ? null : Promise.reject(error))));
