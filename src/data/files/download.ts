// Downloading one file of a known size and checksum, in as many attempts as it takes.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { InputError } from '../../core/errors.ts';
import { systemReason } from '../../core/system-errors.ts';
import { createFolder } from '../../files/folders.ts';
import type { Checksum } from './checksum.ts';

/** How far the download of a file is. */
export interface DownloadProgress {
  readonly file: string;
  /** Bytes on disk so far, those of an earlier attempt included. */
  readonly received: number;
  /** Bytes in all, where the host says. */
  readonly total: number | null;
}

/** An attempt to download that failed and will be repeated. */
export interface DownloadFailure {
  readonly url: string;
  readonly reason: string;
  /** The wait until the next attempt. */
  readonly seconds: number;
}

export interface DownloadOptions {
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Called with the reason of a failure before the next attempt. */
  readonly onRetry?: (failure: DownloadFailure) => void;
  readonly signal?: AbortSignal;
  /** Attempts in a row that bring nothing before giving up. */
  readonly attempts?: number;
  /** The wait before the second attempt; it doubles with each. */
  readonly retryDelayMs?: number;
  /** A connection that brings nothing for so long is given up. */
  readonly stallMs?: number;
}

/** What is downloaded. */
export interface RemoteFile {
  readonly url: string;
  readonly checksum: Checksum;
  /** Its size; whatever exceeds it is not written. */
  readonly bytes: number;
}

/** A failure that another attempt may not share. */
class Interrupted extends Error {}

/** The host answers requests for the rest of a file wrongly, so the file must be asked for as a whole. */
class WrongRange extends Interrupted {}

const sizeOnDisk = async (path: string): Promise<number> => {
  try {
    return (await stat(path)).size;
  } catch {
    return 0;
  }
};

const reason = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
};

/**
 * Downloads a file. What arrives lies in `path.part` until it is complete and its checksum is right, then it takes its
 * name; a later call continues where an earlier one stopped.
 *
 * @throws InputError if the host does not deliver the file (the part received is kept), or delivers other bytes (nothing is kept)
 */
export async function download(file: RemoteFile, path: string, options: DownloadOptions = {}): Promise<void> {
  const { url, checksum } = file;
  const { attempts = 5, retryDelayMs = 1000, signal, onRetry } = options;
  const part = `${path}.part`;
  await createFolder(dirname(path));
  if ((await sizeOnDisk(part)) > file.bytes) await rm(part);
  const resumed = await sizeOnDisk(part);
  // Attempts are counted from the last one that got further than all before it, so their number is finite.
  let furthest = resumed;
  let resumable = true;
  for (let failures = 0; ; ) {
    try {
      await receive(file, part, resumable, options);
      break;
    } catch (error) {
      if (error instanceof InputError || systemReason(error) !== null) throw error;
      signal?.throwIfAborted();
      if (error instanceof WrongRange) resumable = false;
      const kept = await sizeOnDisk(part);
      failures = kept > furthest ? 0 : failures + 1;
      furthest = Math.max(furthest, kept);
      if (failures >= attempts) {
        throw new InputError(
          `${url} could not be downloaded (${reason(error)}). ${kept} bytes are kept; repeat the command to continue from there.`,
          { cause: error },
        );
      }
      const wait = retryDelayMs * 2 ** failures;
      onRetry?.({ url, reason: reason(error), seconds: wait / 1000 });
      await delay(wait, undefined, { signal });
    }
  }
  const digest = await digestOfFile(part, checksum.algorithm);
  if (digest !== checksum.digest) {
    const bytes = await sizeOnDisk(part);
    await rm(part);
    // What an earlier call left may be of another version of the file.
    if (resumed > 0) return download(file, path, options);
    throw new InputError(
      `${url} gave ${bytes} bytes of ${checksum.algorithm} ${digest}; expected ${file.bytes} bytes of ${checksum.digest}. ${NOT_OFFICIAL}`,
    );
  }
  await rename(part, path);
}

const NOT_OFFICIAL =
  'They are damaged or not the official file, so nothing was kept; try again or get the file elsewhere and use `equipoise data add PATH`.';

/** Appends to `part` what it lacks of a file, or writes it anew if the host cannot resume. */
async function receive(
  { url, bytes }: RemoteFile,
  part: string,
  resumable: boolean,
  { onProgress, signal, stallMs = 60_000 }: DownloadOptions,
): Promise<void> {
  const offset = resumable ? await sizeOnDisk(part) : 0;
  const stall = new AbortController();
  const watch = setTimeout(
    () => stall.abort(new Interrupted(`the host sent nothing for ${stallMs / 1000} s`)),
    stallMs,
  );
  try {
    const response = await fetch(url, {
      // Packed files are wanted as they are; some hosts declare .gz an encoding, which fetch would undo.
      headers: { 'accept-encoding': 'identity', ...(offset > 0 ? { range: `bytes=${offset}-` } : {}) },
      signal: signal ? AbortSignal.any([signal, stall.signal]) : stall.signal,
    });
    const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get('content-range') ?? '');
    if (response.status === 416) {
      await response.body?.cancel();
      if (offset > 0 && range !== null && Number(range[2]) === offset) return;
      await rm(part, { force: true });
      throw new WrongRange('HTTP 416: the host refuses this part of the file');
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      const status = `HTTP ${response.status} ${response.statusText}`.trim();
      if (response.status >= 500 || response.status === 429) throw new Interrupted(status);
      throw new InputError(`${url} could not be downloaded: the host answered ${status}.`);
    }
    const resumes = offset > 0 && response.status === 206 && range !== null && Number(range[1]) === offset;
    if (response.status === 206 && !resumes) {
      await response.body.cancel();
      await rm(part, { force: true });
      throw new WrongRange('the host sent another part of the file than was asked for');
    }
    const length = response.headers.get('content-length');
    let received = resumes ? offset : 0;
    const total = length === null ? null : received + Number(length);
    if (total !== null && total > bytes) {
      await response.body.cancel();
      await rm(part, { force: true });
      throw tooLong(url, `${total} bytes`, bytes, resumes);
    }
    const file = await open(part, resumes ? 'a' : 'w');
    try {
      for await (const chunk of response.body) {
        watch.refresh();
        received += chunk.length;
        if (received > bytes) break;
        await file.writeFile(chunk);
        onProgress?.({ file: basename(part, '.part'), received, total });
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (received > bytes) {
      await rm(part);
      throw tooLong(url, `more than ${bytes} bytes`, bytes, resumes);
    }
    if (total !== null && received !== total)
      throw new Interrupted(`the connection ended after ${received} of ${total} bytes`);
  } finally {
    clearTimeout(watch);
  }
}

/** The error about a file that is too long; what was resumed may be at fault, so that is tried again as a whole. */
const tooLong = (url: string, given: string, expected: number, resumed: boolean): Error =>
  resumed
    ? new WrongRange(`it would have ${given}, and ${expected} were expected`)
    : new InputError(`${url} gives ${given}; expected ${expected}. ${NOT_OFFICIAL}`);

async function digestOfFile(path: string, algorithm: Checksum['algorithm']): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}
