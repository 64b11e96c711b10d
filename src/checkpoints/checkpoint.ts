// Writes and reads checkpoint files. The version before the newest is kept, and is read if the newest is damaged.
import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { InputError } from '../core/errors.ts';
import { inWords, isBelowFile, isMissing, reading } from '../core/system-errors.ts';
import { RAISE_LIMIT } from '../data/files/limits.ts';
import type { Guard } from '../files/lock.ts';
import { readRegular } from '../files/regular-file.ts';
import { previousOf, writeAtomically } from './files/atomic-file.ts';
import { largestWeights } from './files/inside.ts';
import { decodeCheckpoint, encodeCheckpoint } from './safetensors/encode.ts';
import type { StoredCheckpoint } from './safetensors/stored.ts';
import type { Checkpoint } from './types.ts';

/**
 * Writes a checkpoint so that a crash at any moment leaves a whole one; the version before stays at `previousOf(path)`.
 *
 * @param checkpoint borrowed
 * @param guard of the lock of the run's folder
 */
export async function writeCheckpoint(
  path: string,
  checkpoint: Checkpoint,
  { guard }: { readonly guard?: Guard } = {},
): Promise<void> {
  await writeAtomically(path, await encodeCheckpoint(checkpoint), { keepPrevious: true, guard });
}

/** The file that a checkpoint was really read from. */
export interface CheckpointFile {
  /** The path that was asked for, or that of the version before it. */
  readonly path: string;
  /** The SHA-256 of the file. */
  readonly sha256: string;
  /** The size of the file in bytes. */
  readonly bytes: number;
}

/** A checkpoint as its file holds it. */
export interface ReadCheckpoint {
  readonly stored: StoredCheckpoint;
  readonly file: CheckpointFile;
  /** Warnings about damaged files that were not used; empty if the file was whole. */
  readonly warnings: readonly string[];
}

/**
 * The checkpoint at `path`, or the one before it where that is damaged or missing.
 *
 * @throws InputError if there is none, or none that is whole
 */
export async function readCheckpoint(path: string): Promise<ReadCheckpoint> {
  const newest = await tryRead(path);
  if (newest.stored) return { ...newest, warnings: [] };
  const previous = await tryRead(previousOf(path));
  if (!previous.stored) throw newest.problem;
  return {
    ...previous,
    warnings: [`${newest.problem.message} The checkpoint before it, ${previousOf(path)}, is used instead.`],
  };
}

type Attempt = Pick<ReadCheckpoint, 'stored' | 'file'> | { readonly stored?: undefined; readonly problem: InputError };

async function tryRead(path: string): Promise<Attempt> {
  try {
    const content = await readRegular(path, largestWeights(), `${RAISE_LIMIT}.`);
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { stored: decodeCheckpoint(content, path), file: { path, sha256, bytes: content.length } };
  } catch (error) {
    if (error instanceof InputError) return { problem: error };
    if (isMissing(error)) return { problem: new InputError(`There is no checkpoint ${path}.`, { cause: error }) };
    throw inWords(path, 'read', error);
  }
}

/**
 * True if a checkpoint, or the one before it, is at `path`.
 *
 * @throws InputError if the system does not let that be seen
 */
export async function hasCheckpoint(path: string): Promise<boolean> {
  return (await isThere(path)) || (await isThere(previousOf(path)));
}

const isThere = (path: string): Promise<boolean> =>
  reading(path, () =>
    access(path).then(
      () => true,
      (error) => (isMissing(error) || isBelowFile(error) ? false : Promise.reject(error)),
    ),
  );
