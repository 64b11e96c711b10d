// A thread that counts up in the file of a lock for as long as the file is the owner's.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { formatRecord, type LockRecord } from './lock-record.ts';

export interface HeartbeatData {
  readonly file: string;
  readonly record: LockRecord;
  readonly everyMs: number;
}

/** Rewrites the file in place and never creates it: where it is missing, the lock belongs to somebody else. */
function write(file: string, record: LockRecord): void {
  const handle = openSync(file, 'r+');
  try {
    const text = Buffer.from(formatRecord(record));
    writeSync(handle, text, 0, text.length, 0);
    ftruncateSync(handle, text.length);
  } finally {
    closeSync(handle);
  }
}

const { file, record, everyMs } = workerData as HeartbeatData;
let { beat } = record;
const timer = setInterval(() => {
  beat += 1;
  try {
    write(file, { ...record, beat });
  } catch (error) {
    // Anything else, such as a file server that is away for a while, may pass.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') clearInterval(timer);
  }
}, everyMs);
