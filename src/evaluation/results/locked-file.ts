// Work on a file of results under its lock: what two processes add to it at the same time must not get lost.
import { basename, dirname, join, resolve } from 'node:path';
import { readIfThere } from '../../checkpoints/files/read-if-there.ts';
import { InputError } from '../../core/errors.ts';
import { systemCause } from '../../core/system-errors.ts';
import { type Guard, type LockTimes, withLock } from '../../files/lock.ts';

/** A file of results that this process may write. */
export interface LockedFile {
  readonly path: string;
  readonly guard: Guard;
}

/** What a lock on a file of results needs to know. */
export interface LockedFileOptions {
  /** The file that was asked for, if one was; undefined for that of the run. */
  readonly out?: string | false;
  readonly lockTimes?: LockTimes;
  readonly signal?: AbortSignal;
  /** Called once, with a message, if finding out whether another process still uses the file takes a while. */
  readonly warn?: (message: string) => void;
}

/**
 * Work on a file of results that no other process changes meanwhile; with null for no file, work alone.
 *
 * @throws InUseError if another process uses it; InputError if the system does not let it be written, with the way out
 */
export async function withLockedFile<T>(
  path: string | null,
  { out, lockTimes, warn, signal }: LockedFileOptions,
  work: (file: LockedFile | null) => Promise<T>,
): Promise<T> {
  if (path === null) return work(null);
  try {
    const { lock, name } = await lockOf(path);
    const remedy = out === undefined ? ' Or name a file elsewhere for the results with --out FILE.' : '';
    return await withLock(lock, { ...lockTimes, name, remedy, onWait: warn, signal }, (guard) => work({ path, guard }));
  } catch (error) {
    const cause = systemCause(error);
    if (out !== undefined || !(error instanceof InputError) || cause === null) throw error;
    // Another place for the results does not help where a file elsewhere, such as a checkpoint, is refused.
    if (!isBeside(cause.path, path)) throw error;
    throw new InputError(`${error.message} Name a file elsewhere for the results with --out FILE.`, { cause: error });
  }
}

/** True if a file that the system refused is in the folder of the results, or is that folder; the path of a full disk is not known. */
const isBeside = (refused: string | undefined, path: string): boolean =>
  refused === undefined || [refused, dirname(refused)].some((place) => resolve(place) === resolve(dirname(path)));

/** The files of results that belong to a run, by the names that they have there. */
const OF_RUNS: readonly string[] = ['evaluation.json', 'certificates.json', 'corruptions.json'];

/** The lock of a file of results, and what it locks: the run's folder that the file is in, or else the file alone. */
async function lockOf(path: string): Promise<{ readonly lock: string; readonly name: string }> {
  const folder = dirname(path);
  const inRun = OF_RUNS.includes(basename(path)) && (await readIfThere(join(folder, 'config.json'))) !== null;
  return inRun ? { lock: join(folder, 'run.lock'), name: folder } : { lock: `${path}.lock`, name: path };
}
