import { copyFile, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { InputError } from '../core/errors.ts';

/** Where the version before the newest of a file is kept. */
export const previousOf = (path: string): string => `${path}.previous`;

/** Where a file is written before it takes its name. */
export const temporaryOf = (path: string): string => `${path}.temporary`;

/**
 * Writes a file so that whoever looks, at any moment and after any crash, finds the old version or the new one whole:
 * written beside it, synced, renamed.
 *
 * @param keepPrevious leaves the version before at `previousOf(path)`
 * @throws InputError where the system does not let it, as in a folder that is a file or on a full disk
 */
export async function writeAtomically(
  path: string,
  content: Uint8Array | string,
  { keepPrevious = false }: { readonly keepPrevious?: boolean } = {},
): Promise<void> {
  const temporary = temporaryOf(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    if (keepPrevious) await keep(path);
    await rename(temporary, path);
  } catch (error) {
    for (const half of [temporary, temporaryOf(previousOf(path))]) await rm(half, { force: true }).catch(() => {});
    throw unwritable(path, error);
  }
  await syncDirectory(dirname(path));
}

/** What to throw where a file could not be written: in words where the system did not let it, else the error itself. */
export const unwritable = (path: string, error: unknown): unknown =>
  (error as NodeJS.ErrnoException).syscall === undefined
    ? error
    : new InputError(`${path} cannot be written: ${(error as Error).message}.`, { cause: error });

/** Gives the file at `path`, if there is one, its second name, without a moment in which it has none. */
async function keep(path: string): Promise<void> {
  const second = temporaryOf(previousOf(path));
  await rm(second, { force: true });
  try {
    // Some file systems have no hard links.
    await link(path, second).catch((error) => (isMissing(error) ? Promise.reject(error) : copyFile(path, second)));
  } catch (error) {
    if (isMissing(error)) return;
    throw error;
  }
  await rename(second, previousOf(path));
}

/** Makes a rename in `directory` outlast a power failure, where the system can. */
async function syncDirectory(directory: string): Promise<void> {
  try {
    const handle = await open(directory, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows opens no directories.
  }
}

export const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException)?.code === 'ENOENT';
