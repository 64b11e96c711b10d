// The checkpoints of a run, and the files of results that belong to them.
import { stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hasCheckpoint, readCheckpoint } from '../../checkpoints/checkpoint.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import type { ModelRecord } from '../formats/format.ts';
import { locate } from '../zoo/locate.ts';
import { CHECKPOINTS, type CheckpointName, namesOfNoRun } from './checkpoint-names.ts';

const EXTENSION = '.safetensors';

/**
 * The checkpoint files that a path stands for: a file itself, those that a run's folder keeps, or the one of a name of the zoo.
 *
 * @param names which of a run's checkpoints; default: all that it keeps
 * @throws InputError if there is no such file, no checkpoint in the folder, or not one of these
 */
export async function checkpointFiles(source: string, names?: readonly CheckpointName[]): Promise<string[]> {
  const path = await locate(source);
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) {
    if (found || (await hasCheckpoint(path))) {
      if (names !== undefined) throw new UsageError(namesOfNoRun(path));
      return [path];
    }
    throw new UsageError(`There is no ${path}. Give a run's folder, or the file of a checkpoint or another model.`);
  }
  const files: string[] = [];
  for (const name of CHECKPOINTS.filter((kept) => names?.includes(kept) ?? true)) {
    const file = join(path, 'checkpoints', name + EXTENSION);
    if (await hasCheckpoint(file)) files.push(file);
    else if (names !== undefined) throw new InputError(lacks(path, name));
  }
  if (files.length > 0) return files;
  throw new InputError(
    `The folder ${path} holds no checkpoints/${CHECKPOINTS.map((name) => name + EXTENSION).join(' or checkpoints/')}, and no model.json. Give a run's folder, a checkpoint, or another model (see docs/foreign-models.md).`,
  );
}

const lacks = (run: string, name: CheckpointName): string =>
  `The run ${run} keeps no checkpoint ${name}.${name === 'ema' ? ' Averaged weights are kept by train --ema.' : ''} Leave ${name} out of --checkpoints.`;

/** Where the evaluations of a checkpoint in a run's folder are kept; null for one that lies elsewhere. */
export const recordPath = (checkpoint: string): string | null =>
  basename(dirname(checkpoint)) === 'checkpoints' ? join(dirname(dirname(checkpoint)), 'evaluation.json') : null;

/**
 * Which checkpoint a file is: its name, and the SHA-256 of the file that is read.
 *
 * @param warn told where that is the checkpoint before it, as the file is damaged
 */
export async function checkpointIdentity(
  path: string,
  warn?: (message: string) => void,
): Promise<Pick<ModelRecord, 'checkpoint' | 'sha256'>> {
  const { file, warnings } = await readCheckpoint(path);
  for (const warning of warnings) warn?.(warning);
  return { checkpoint: basename(path, EXTENSION), sha256: file.sha256 };
}
