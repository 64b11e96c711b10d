// Reading of regular files alone: a device may have no end, and a pipe waits for its writer, which no signal interrupts.
import type { Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { InputError } from '../core/errors.ts';
import { byteSize } from '../core/quantities.ts';

/** What a path leads to, in words; null for a regular file. */
export function otherThanFile(found: Stats): string | null {
  if (found.isFile()) return null;
  if (found.isDirectory()) return 'a folder';
  if (found.isFIFO()) return 'a pipe (FIFO)';
  if (found.isSocket()) return 'a socket';
  return 'a device';
}

/**
 * Refuses what has no end, before it is opened. Folders and missing files are left to the system's own answer.
 *
 * @returns the file's size in bytes
 * @throws InputError for a pipe, a socket or a device; else what the system throws
 */
export async function checkEnds(path: string): Promise<number> {
  const found = await stat(path);
  const other = otherThanFile(found);
  if (other !== null && !found.isDirectory()) {
    throw new InputError(`${path} is ${other}; expected a file. Give another, or save it as a file first.`);
  }
  return found.size;
}

/** Node reads less than 2 GiB at once. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * Bytes of an open file, in pieces that Node can read.
 *
 * @param path the file, as messages call it
 * @throws InputError if the file ends before `end`
 */
export async function readBytes(file: FileHandle, begin: number, end: number, path: string): Promise<Buffer> {
  const bytes = Buffer.alloc(end - begin);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(MOST_AT_ONCE, bytes.length - done), begin + done);
    if (bytesRead === 0) throw new InputError(`${path} became shorter while it was read. Try again.`);
    done += bytesRead;
  }
  return bytes;
}

/** The error for a file, or files, of more bytes than are read. */
export const tooLarge = (path: string, size: number, limit: number, remedy: string): InputError =>
  new InputError(`${path} has ${byteSize(size)}; expected at most ${byteSize(limit)}. ${remedy}`);

/**
 * The bytes of a file, as many as the system says that it has. Some files of the system itself, as in /proc, say that they
 * have none, and do not end when they are read.
 *
 * @param limit the most bytes that are read
 * @param remedy what to do about a larger file, as a sentence
 * @throws InputError if it is no regular file, or is larger; else what the system throws
 */
export async function readRegular(path: string, limit: number, remedy: string): Promise<Buffer> {
  await checkEnds(path);
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > limit) throw tooLarge(path, size, limit, remedy);
    return await readBytes(file, 0, size, path);
  } finally {
    await file.close();
  }
}

/** The largest file of text that is read, in bytes. */
export const LARGEST_TEXT = 2 ** 28;

/**
 * The text of a file.
 *
 * @param limit the most bytes that are read
 * @throws InputError if it is no regular file, or larger than any that is written here; else what the system throws
 */
export const readText = async (path: string, limit: number = LARGEST_TEXT): Promise<string> =>
  (await readRegular(path, limit, 'Give another file.')).toString();
