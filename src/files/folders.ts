// Folders whose entries outlast a power failure.
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Creates a folder and its parent folders if they are missing.
 *
 * @returns true if the folder was missing
 */
export async function makeFolder(path: string): Promise<boolean> {
  const first = await mkdir(path, { recursive: true });
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
