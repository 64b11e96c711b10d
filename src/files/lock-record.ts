// What the owner of a lock writes into it.
import type { Owner } from './owner.ts';

export interface LockRecord extends Owner {
  /** A random name of this lock, different from that of every other lock. */
  readonly token: string;
  /** A number that the owner counts up while it lives. */
  readonly beat: number;
}

export const formatRecord = (record: LockRecord): string => `${JSON.stringify(record)}\n`;
