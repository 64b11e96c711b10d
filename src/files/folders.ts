// Folders whose entries outlast a power failure.
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InputError } from '../core/errors.ts';
import { isMissing, writing } from '../core/system-errors.ts';
import { otherThanFile } from './regular-file.ts';

/** True if there is a folder at `path`, or a link to one. */
export const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The names of the folders directly in a folder, in order. */
export const foldersIn = async (path: string): Promise<string[]> =>
  (await readdir(path, { withFileTypes: true })).flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();

/**
 * Creates a folder and its parent folders if they are missing.
 *
 * @returns the first folder that was missing; undefined if none was
 */
export async function createFolder(path: string): Promise<string | undefined> {
  try {
    return await mkdir(path, { recursive: true });
  } catch (error) {
    // Node reports a disk that can only be read as a missing folder. Creating the missing folders one by one has the reason.
    if (!isMissing(error) || dirname(resolve(path)) === resolve(path)) throw error;
    const first = await createFolder(dirname(resolve(path)));
    await mkdir(path);
    return first ?? path;
  }
}

/**
 * Creates a folder and its parent folders if they are missing.
 *
 * @returns true if the folder was missing
 */
export async function makeFolder(path: string): Promise<boolean> {
  const first = await createFolder(path);
  if (first === undefined) return false;
  for (let made = resolve(path); made !== dirname(resolve(first)); made = dirname(made)) {
    await syncFolder(dirname(made));
  }
  return true;
}

/** Writes the list of a folder's entries to disk, so that they outlast a power failure, if the system can do that. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows cannot open folders.
  }
}

/**
 * Refuses a folder that nothing can be written into, before long work whose results go there. Creates nothing.
 *
 * @throws InputError if the folder, or the nearest one above it that exists, is no folder or cannot be written to
 */
export async function checkWritable(path: string): Promise<void> {
  await writing(path, async () => {
    for (let place = resolve(path); ; place = dirname(place)) {
      const found = await stat(place).catch((error) => (isMissing(error) ? null : Promise.reject(error)));
      if (found === null) continue;
      if (found.isDirectory()) return access(place, constants.W_OK | constants.X_OK);
      throw new InputError(
        `${path} cannot be written: ${place} is ${otherThanFile(found) ?? 'a file'}, not a folder. Choose another place.`,
      );
    }
  });
}
