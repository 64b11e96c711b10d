// Reading of regular files alone: a device may have no end, and a pipe waits for its writer, which no signal interrupts.
import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { InputError } from '../core/errors.ts';

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

/** The largest file of text that is read, in bytes. */
const LARGEST_TEXT = 2 ** 28;

/**
 * The text of a file.
 *
 * @throws InputError if it is no regular file, or larger than any that is written here; else what the system throws
 */
export async function readText(path: string): Promise<string> {
  const size = await checkEnds(path);
  if (size > LARGEST_TEXT) {
    throw new InputError(
      `${path} has ${Math.round(size / 2 ** 20)} MB; expected a text of at most ${LARGEST_TEXT / 2 ** 20} MB. Give another file.`,
    );
  }
  return readFile(path, 'utf8');
}
