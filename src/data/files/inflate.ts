// Inflation that never holds more than a given number of bytes: the only place where data sets are inflated in memory.
import { constants, gunzipSync, inflateSync } from 'node:zlib';
import { messageOf } from '../../core/errors.ts';

/** DEFLATE packs at most 1,032 bytes into one. */
const MAX_RATIO = 1032;

export type Inflated =
  | {
      readonly kind: 'whole';
      readonly bytes: Uint8Array;
      /** The number of packed bytes that the stream takes. */
      readonly consumed: number;
    }
  /** The data unpack to more than the limit; the bytes up to the limit are dropped. */
  | { readonly kind: 'too long' }
  | { readonly kind: 'damaged'; readonly reason: string };

const INFLATERS = { gzip: gunzipSync, zlib: inflateSync } as const;

/** What zlib returns with its option `info`, which its types leave out. */
interface Info {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/**
 * Unpacks a gzip or zlib stream of at most `limit` bytes, and checks its checksum.
 *
 * @returns bytes of their own
 */
export function inflate(packed: Uint8Array, format: keyof typeof INFLATERS, limit: number): Inflated {
  // One chunk holds all of the output, or one byte too many, so nothing is held twice. Pages that stay empty take no memory.
  const chunkSize = Math.max(64, Math.min(limit + 1, packed.length * MAX_RATIO));
  try {
    const options = { info: true, maxOutputLength: limit, chunkSize };
    const { buffer, engine } = INFLATERS[format](packed, options) as unknown as Info;
    return { kind: 'whole', bytes: new Uint8Array(buffer), consumed: engine.bytesWritten };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too long' };
    return { kind: 'damaged', reason: messageOf(error) };
  }
}

/**
 * The first bytes of a zlib stream, as many as a kilobyte of it unpacks to (at most 1 MB); none where it is damaged.
 */
export function inflateStart(packed: Uint8Array): Uint8Array {
  const start = packed.subarray(0, 1024);
  try {
    return inflateSync(start, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: start.length * MAX_RATIO + 64 });
  } catch {
    return new Uint8Array(0);
  }
}
