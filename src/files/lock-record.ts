// What the owner of a lock writes into it.
import type { Owner } from './owner.ts';

export interface LockRecord extends Owner {
  /** Names this lock and no other, of the same process or of another. */
  readonly token: string;
  /** Counted up while the owner lives. */
  readonly beat: number;
}

export const formatRecord = (record: LockRecord): string => `${JSON.stringify(record)}\n`;
