// How the folder of a data set appears: made in a folder of this process, synced, and renamed under the data set's lock.
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissing } from '../../core/system-errors.ts';
import { makeFolder, syncFolder } from '../../files/folders.ts';
import { type Guard, type LockOptions, withLock } from '../../files/lock.ts';
import { isAbandoned, removeTemporaries, temporaryOf } from '../../files/temporaries.ts';

/** How long a process waits for others that change the same data set, and whom it tells. */
export type DatasetLockOptions = Pick<LockOptions, 'onWait' | 'signal' | 'staleMs' | 'heartbeatMs'>;

/**
 * Work under the lock of a data set. Whoever changes its files holds it.
 *
 * @param root the folder of all data sets
 * @throws InUseError if another process holds it
 */
export const withDatasetLock = <T>(
  root: string,
  name: string,
  options: DatasetLockOptions,
  work: (guard: Guard) => Promise<T>,
): Promise<T> => withLock(join(root, `.${name}.lock`), { ...options, name: `${name} in ${root}` }, work);

/**
 * Work in an empty folder beside the data sets, which is removed afterwards. If this process is killed, the next one
 * removes it.
 */
export async function withStaging<T>(root: string, work: (staging: string) => Promise<T>): Promise<T> {
  await makeFolder(root);
  await removeTemporaries(root, isAbandoned);
  const staging = temporaryOf(join(root, '.add'));
  await mkdir(staging);
  try {
    return await work(staging);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** Where the files of a data set are while others take their place. */
const replacedOf = (target: string): string => join(dirname(target), `.${basename(target)}.replaced`);

/**
 * Makes a complete folder, on the same disk, take the place of `target`; what was there before goes. If the process is
 * killed in between, `restore` brings back what was there.
 *
 * @param guard of the data set's lock
 */
export async function publish(folder: string, target: string, guard: Guard): Promise<void> {
  await syncFiles(folder);
  await guard();
  await restore(target);
  const replaced = replacedOf(target);
  const replaces = await renamed(target, replaced);
  try {
    await rename(folder, target);
  } catch (error) {
    if (replaces) await rename(replaced, target);
    throw error;
  }
  await syncFolder(dirname(target));
  await rm(replaced, { recursive: true, force: true });
}

/**
 * Puts a data set back that a killed process had moved out of the way, and removes one that was replaced. Its caller holds
 * the data set's lock.
 */
export async function restore(target: string): Promise<void> {
  const replaced = replacedOf(target);
  if (await isThere(target)) await rm(replaced, { recursive: true, force: true });
  else await renamed(replaced, target);
}

const isThere = (path: string): Promise<boolean> => unlessMissing(stat(path));

/** Renames what is there; false if nothing is. */
const renamed = (from: string, to: string): Promise<boolean> => unlessMissing(rename(from, to));

/** True if an operation succeeds, false if its file is missing. */
const unlessMissing = (operation: Promise<unknown>): Promise<boolean> =>
  operation.then(
    () => true,
    (error) => (isMissing(error) ? false : Promise.reject(error)),
  );

/** Waits until the files of a folder, and their names, are on the disk. */
async function syncFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = await open(join(folder, name), 'r');
    try {
      await file.sync();
    } catch (error) {
      // Windows syncs no files that are open for reading only.
      if (process.platform !== 'win32') throw error;
    } finally {
      await file.close();
    }
  }
  await syncFolder(folder);
}
