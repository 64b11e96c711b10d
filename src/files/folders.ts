// Folders whose entries outlast a power failure.
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/**
 * Makes a folder, and those that it is in, where they are missing.
 *
 * @returns whether it was missing
 */
export async function makeFolder(path: string): Promise<boolean> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return false;
  for (let made = resolve(path); made !== dirname(resolve(first)); made = dirname(made)) {
    await syncFolder(dirname(made));
  }
  return true;
}

/** Makes the names in a folder outlast a power failure, where the system can. */
export async function syncFolder(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
  } catch {
    // Windows opens no folders.
  }
}
