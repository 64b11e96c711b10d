// Files that are written whole or not at all, and lines that are appended to stay.
import { constants } from 'node:fs';
import { copyFile, type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { inWords, isMissing, writing } from '../../core/system-errors.ts';
import { makeFolder, syncFolder } from '../../files/folders.ts';
import type { Guard } from '../../files/lock.ts';
import { isAbandoned, removeTemporaries, temporaryOf } from '../../files/temporaries.ts';

/** Where the version before the newest of a file is kept. */
export const previousOf = (path: string): string => `${path}.previous`;

export interface WriteOptions {
  /** Leaves the version before at `previousOf(path)`. */
  readonly keepPrevious?: boolean;
  /** A check before the file is written, and again before it is renamed; throws if writing is not allowed. */
  readonly guard?: Guard;
}

/**
 * Writes a file so that whoever looks, at any moment and after any crash, finds the old version or the new one whole:
 * written beside it, synced, renamed. What killed processes of this machine left beside the file is removed.
 *
 * @throws InputError if the system does not let it, as in a folder that is a file or on a full disk, and what `guard`
 * throws
 */
export async function writeAtomically(
  path: string,
  content: Uint8Array | string,
  { keepPrevious = false, guard }: WriteOptions = {},
): Promise<void> {
  const temporaries: string[] = [];
  const beside = (target: string): string => {
    const temporary = temporaryOf(target);
    temporaries.push(temporary);
    return temporary;
  };
  try {
    // A folder that is locked was there, and must not come back once it is removed.
    if (guard === undefined) await makeFolder(dirname(path));
    else await guard();
    const temporary = beside(path);
    await writeTemporary(path, temporary, content);
    await guard?.();
    if (keepPrevious) await keep(path, beside(previousOf(path)));
    await rename(temporary, path);
  } catch (error) {
    for (const half of temporaries) await rm(half, { force: true }).catch(() => {});
    await explainMissing(error, guard);
    throw inWords(path, 'written', error);
  }
  await syncFolder(dirname(path));
}

/**
 * Writes files that belong together. The last is the one that readers begin with: whoever looks, at any moment and after any
 * crash, finds all in the old version or all in the new one, or no last file. A disk that is full changes nothing.
 *
 * @throws InputError if the system does not let it
 */
export async function writeTogether(files: readonly (readonly [path: string, content: Uint8Array | string])[]) {
  const temporaries = files.map(([path]) => temporaryOf(path));
  let current = '';
  try {
    for (const [i, [path, content]] of files.entries()) {
      current = path;
      await makeFolder(dirname(path));
      await writeTemporary(path, temporaries[i], content);
    }
    const [last] = files[files.length - 1];
    if (files.length > 1) {
      await rm(last, { force: true });
      await syncFolder(dirname(last));
    }
    for (const [i, [path]] of files.entries()) {
      current = path;
      await rename(temporaries[i], path);
      await syncFolder(dirname(path));
    }
  } catch (error) {
    for (const half of temporaries) await rm(half, { force: true }).catch(() => {});
    throw inWords(current, 'written', error);
  }
}

/** Writes a file beside its place, on the disk when this ends, and removes what killed processes left there. */
async function writeTemporary(path: string, temporary: string, content: Uint8Array | string): Promise<void> {
  await removeTemporaries(dirname(path), (name) => name.startsWith(`${basename(path)}.`) && isAbandoned(name));
  const file = await open(temporary, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Adds lines to a file that exists.
 *
 * @param sync waits until they are on disk
 * @throws InputError if there is no such file or the system does not let it, and what `guard` throws
 */
export async function appendLines(
  path: string,
  lines: string,
  { guard, sync }: { readonly guard?: Guard; readonly sync: boolean },
): Promise<void> {
  await writing(path, async () => {
    // Without O_CREAT: a file that was removed meanwhile must not come back without its beginning.
    const file = await open(path, constants.O_WRONLY | constants.O_APPEND);
    try {
      // After the file is open: whoever takes a run over puts a new file in its place, so these lines go there or nowhere.
      await guard?.();
      await file.writeFile(lines);
      if (sync) await file.sync();
    } finally {
      await file.close();
    }
  }).catch(async (error) => {
    await explainMissing(error.cause, guard);
    throw error;
  });
}

/**
 * Removes a file, if it exists.
 *
 * @throws InputError if the system does not let it, and what `guard` throws
 */
export async function removeFile(path: string, { guard }: { readonly guard?: Guard } = {}): Promise<void> {
  await guard?.();
  await writing(path, () => rm(path, { force: true }));
}

/** Throws the better reason where a file is missing because its folder was removed right before. */
async function explainMissing(error: unknown, guard: Guard | undefined): Promise<void> {
  if (isMissing(error)) await guard?.();
}

/** Writes all bytes at a position; the system may take only some of them at once. */
export async function writeWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
  }
}

/** The lines of a text that are whole: what follows the last line break was cut off by a crash. */
export const wholeLines = (text: string): string[] => text.split('\n').slice(0, -1);

/** Gives the file at `path`, if there is one, its second name, without a moment in which it has none. */
async function keep(path: string, second: string): Promise<void> {
  try {
    // Some file systems have no hard links.
    await link(path, second).catch((error) => (isMissing(error) ? Promise.reject(error) : copyFile(path, second)));
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await rename(second, previousOf(path));
  // A rename does nothing where both names are of one file already, as after a crash right here.
  await rm(second, { force: true });
}
