// What a lock says and what follows from it, without any file: who holds it, and whether that owner still lives.
import { z } from 'zod';
import { jsonValue } from '../core/parse-json.ts';
import type { LockRecord } from './lock-record.ts';
import type { Owner } from './owner.ts';

const recordSchema = z.object({
  host: z.string(),
  boot: z.string().nullable(),
  pid: z.int().positive(),
  token: z.string().min(1),
  beat: z.int().min(0),
});

/** The record in a lock's file; null if it cannot be read, for example while it is being written. */
export function parseRecord(text: string): LockRecord | null {
  try {
    return recordSchema.safeParse(jsonValue(text)).data ?? null;
  } catch {
    return null;
  }
}

/** The content of a lock at one time. */
export interface Sighting {
  /** The owner's token, which is the name of the lock's file. */
  readonly token: string;
  readonly text: string;
}

/** How long a watcher has seen the same sighting, by its own monotonic clock. */
export interface Watch {
  readonly first: Sighting;
  readonly elapsedMs: number;
}

/**
 * What a watcher knows of a lock: `held` by an owner that lives, `stale` as its owner is gone, or not known `yet`.
 *
 * The owner is gone if its process is, or if nothing in the lock has changed for `staleMs`. Only durations that one
 * watcher measured are compared, never clock times of two machines.
 *
 * @param now the newest content of the lock
 * @param hasEnded whether a process is known to have ended
 */
export function judge(
  { first, elapsedMs }: Watch,
  now: Sighting,
  { staleMs, hasEnded }: { readonly staleMs: number; readonly hasEnded: (owner: Owner) => boolean },
): 'held' | 'stale' | 'yet' {
  if (now.token !== first.token || now.text !== first.text) return 'held';
  const record = parseRecord(now.text);
  // A file that is being taken over still holds the record of the owner before.
  if (record?.token === now.token && hasEnded(record)) return 'stale';
  return elapsedMs >= staleMs ? 'stale' : 'yet';
}

/** An owner, as messages call it. */
export function describeOwner({ text }: Sighting): string {
  const record = parseRecord(text);
  return record === null ? 'another process' : `process ${record.pid} on ${record.host}`;
}
