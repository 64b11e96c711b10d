// A lock on a folder for one writer at a time, on local and on shared file systems.
//
// The lock is a folder with one file, named by its owner's token. Renaming a folder to a name that a full folder has
// fails, so one process only gets it. Taking a stale lock over renames the file from the old token to the new one, which
// succeeds once. The owner rewrites its file in place and never creates it anew, so it cannot get back what it has lost.
import { randomUUID } from 'node:crypto';
import { open, readdir, rename, rm, rmdir, unlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { InputError } from '../core/errors.ts';
import { inWords, isMissing, isSystemError, writing } from '../core/system-errors.ts';
import { createFolder, makeFolder } from './folders.ts';
import type { HeartbeatData } from './heartbeat.ts';
import { formatRecord, type LockRecord } from './lock-record.ts';
import { describeOwner, judge, parseRecord, type Sighting } from './lock-state.ts';
import { hasEnded, thisProcess } from './owner.ts';
import { readText } from './regular-file.ts';

/** The folder is locked by another process, which is alive or has taken the lock over. Nothing is wrong with the work itself. */
export class InUseError extends InputError {
  override readonly name = 'InUseError';
}

/** A check that is made before a file is renamed or extended; throws if this process no longer holds the lock. */
export type Guard = () => Promise<void>;

/** A lock that this process holds. */
export interface Lock {
  /** @throws InUseError if another process has taken the lock over; InputError if it is gone with its folder */
  readonly guard: Guard;
  /** Releases the lock if it is still held. */
  release(): Promise<void>;
}

export interface LockTimes {
  /** Time between two updates of the counter by the owner; default 2 s. */
  readonly heartbeatMs?: number;
  /** A lock is stale if its counter has not changed for this time; default 90 s. */
  readonly staleMs?: number;
}

export interface LockOptions extends LockTimes {
  /** The name of the locked folder in messages; default: its path. */
  readonly name?: string;
  /** A sentence about what a user can do, other than wait, if the lock is held. */
  readonly remedy?: string;
  /** True to wait for the lock while another process holds it: for work that is short. Default: an error. */
  readonly waits?: boolean;
  /** Called once, with a message, if finding out whether the owner is still alive takes a while. */
  readonly onWait?: (message: string) => void;
  readonly signal?: AbortSignal;
}

const HEARTBEAT_MS = 2_000;
const STALE_MS = 90_000;
const OWNER = 'owner-';

/** Error codes of the system if another process holds the lock. */
const HELD: ReadonlySet<string | undefined> = new Set(['ENOTEMPTY', 'EEXIST', 'EPERM', 'EBUSY']);

/**
 * Takes the lock at `path`, and makes the folder that it is in. A lock whose owner is gone is taken over; finding that out
 * takes `staleMs` unless the owner was a process of this machine.
 *
 * @throws InUseError if another process holds it, by name, unless `waits`
 */
export async function acquireLock(path: string, options: LockOptions = {}): Promise<Lock> {
  const {
    name = dirname(path),
    remedy = '',
    staleMs = STALE_MS,
    heartbeatMs = HEARTBEAT_MS,
    waits = false,
    onWait,
    signal,
  } = options;
  const record: LockRecord = { ...thisProcess(), token: randomUUID(), beat: 0 };
  const isNew = await writing(dirname(path), () => makeFolder(dirname(path)));
  const held = () => holdLock(path, record, { name, heartbeatMs, isNew });
  let told = false;
  let watch: { readonly first: Sighting; readonly since: number } | null = null;
  for (;;) {
    if (await writing(path, () => tryCreate(path, record))) return held();
    const now = await look(path);
    if (now !== null) {
      watch ??= { first: now, since: performance.now() };
      const elapsedMs = performance.now() - watch.since;
      const verdict = judge({ first: watch.first, elapsedMs }, now, { staleMs, hasEnded });
      if (verdict === 'held' && waits) watch = null;
      else if (verdict === 'held') {
        throw new InUseError(`${name} is in use by ${describeOwner(now)}. Wait until that ends, or end it.${remedy}`);
      }
      if (verdict === 'stale') {
        if (await writing(path, () => takeOver(path, now, record))) return held();
        watch = null;
      } else if (!told && elapsedMs > 2 * heartbeatMs) {
        told = true;
        onWait?.(
          `${name} is locked by ${describeOwner(now)}, which gives no sign of life; waiting up to ${Math.ceil(staleMs / 1000)} s until it counts as gone.`,
        );
      }
    }
    await delay(Math.min(heartbeatMs, staleMs) / 10, undefined, { signal });
  }
}

/** Work under the lock at `path`, which is given back after it. */
export async function withLock<T>(path: string, options: LockOptions, work: (guard: Guard) => Promise<T>): Promise<T> {
  const lock = await acquireLock(path, options);
  try {
    return await work(lock.guard);
  } finally {
    await lock.release();
  }
}

/** Who holds a lock, as far as one look at it tells. */
export interface LockHolder {
  /** The owner in words, such as `process 123 on host`. */
  readonly name: string;
  /** True if the process is known to live; false where nobody can know, as on another machine. */
  readonly lives: boolean;
}

/** The holder of the lock at `path`; null if nobody holds it, or the process that did has ended. */
export async function lockHolder(path: string): Promise<LockHolder | null> {
  const seen = await look(path);
  if (seen === null) return null;
  const owner = parseRecord(seen.text);
  if (owner !== null && hasEnded(owner)) return null;
  const { host, boot } = thisProcess();
  return { name: describeOwner(seen), lives: owner?.host === host && boot !== null && owner.boot === boot };
}

/** Removes the lock at `path` if the process that held it has ended, for example one that was killed after its work was done. */
export async function clearLeftLock(path: string): Promise<void> {
  const seen = await look(path).catch(() => null);
  const owner = seen && parseRecord(seen.text);
  // Each fails if another process takes the lock over at this moment.
  if (owner && hasEnded(owner)) await unlink(fileOf(path, seen.token)).catch(() => {});
  await rmdir(path).catch(() => {});
}

const fileOf = (path: string, token: string): string => join(path, OWNER + token);

/** Makes the lock, if nobody has it. */
async function tryCreate(path: string, record: LockRecord): Promise<boolean> {
  const prepared = `${path}.${record.token}`;
  await createFolder(prepared);
  try {
    await writeFile(fileOf(prepared, record.token), formatRecord(record));
    // An owner that was killed while it gave the lock back leaves the folder empty.
    await rmdir(path).catch(() => {});
    await rename(prepared, path);
  } catch (error) {
    // The file server may have done it though its answer was lost.
    if (await isThere(fileOf(path, record.token))) return true;
    await rm(prepared, { recursive: true, force: true }).catch(() => {});
    // Missing: the owner of the lock has cleared away what others prepared.
    if (isMissing(error) || HELD.has((error as NodeJS.ErrnoException).code)) return false;
    throw error;
  }
  return true;
}

/** The lock as it is now; null if nobody has it. */
async function look(path: string): Promise<Sighting | null> {
  try {
    const owner = (await readdir(path)).find((entry) => entry.startsWith(OWNER));
    if (owner === undefined) return null;
    return { token: owner.slice(OWNER.length), text: await readText(join(path, owner)) };
  } catch (error) {
    if (isSystemError(error) && ['ENOENT', 'ESTALE'].includes(error.code ?? '')) return null;
    throw inWords(path, 'read', error);
  }
}

/** Takes a stale lock over; false if somebody else was quicker. */
async function takeOver(path: string, stale: Sighting, record: LockRecord): Promise<boolean> {
  const own = fileOf(path, record.token);
  try {
    await rename(fileOf(path, stale.token), own);
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (!(await isThere(own))) return false;
  }
  const file = await open(own, 'r+');
  try {
    const text = Buffer.from(formatRecord(record));
    await file.write(text, 0, text.length, 0);
    await file.truncate(text.length);
  } finally {
    await file.close();
  }
  return true;
}

/** True if a file is there, by opening it, which asks the file server and not what this machine remembers. */
async function isThere(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close();
    return true;
  } catch (error) {
    if (isSystemError(error) && ['ENOENT', 'ESTALE', 'ENOTDIR'].includes(error.code ?? '')) return false;
    throw error;
  }
}

async function holdLock(
  path: string,
  record: LockRecord,
  { name, heartbeatMs, isNew }: { readonly name: string; readonly heartbeatMs: number; readonly isNew: boolean },
): Promise<Lock> {
  const own = fileOf(path, record.token);
  await clearPrepared(path);
  const workerData: HeartbeatData = { file: own, record, everyMs: heartbeatMs };
  // A thread of its own counts on while this one computes.
  const worker = new Worker(new URL('./heartbeat.js', import.meta.url), { workerData, execArgv: [] });
  worker.unref();
  // Without it the lock is only found stale too early, and the guard sees that.
  worker.on('error', () => {});
  return {
    guard: async () => {
      if (await writing(path, () => isThere(own))) return;
      const other = await look(path).catch(() => null);
      if (other === null) {
        throw new InputError(
          `${name} was removed or renamed while this process used it, so it stops without writing. What is not in a checkpoint is lost; start again.`,
        );
      }
      throw new InUseError(
        `${name} was taken over by ${describeOwner(other)} while this process gave no sign of life, so it stops without writing.`,
      );
    },
    release: async () => {
      await worker.terminate();
      await unlink(own).catch(() => {});
      await rmdir(path).catch(() => {});
      // A folder that was made for the lock goes with it if nothing has come into it.
      if (isNew) await rmdir(dirname(path)).catch(() => {});
    },
  };
}

/** Removes what others prepared who were killed, or who will prepare it again. */
async function clearPrepared(path: string): Promise<void> {
  const entries = await readdir(dirname(path)).catch(() => []);
  for (const entry of entries) {
    if (!entry.startsWith(`${basename(path)}.`)) continue;
    await rm(join(dirname(path), entry), { recursive: true, force: true }).catch(() => {});
  }
}
