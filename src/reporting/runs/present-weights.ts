// Tells the results that are of the weights in a run's checkpoints from those of weights that the run had before, or never had.
import { join } from 'node:path';
import { hasCheckpoint, type ReadCheckpoint, readCheckpoint } from '../../checkpoints/checkpoint.ts';
import { InputError } from '../../core/errors.ts';
import { CHECKPOINTS } from '../../evaluation/targets/checkpoint-names.ts';
import type { EvaluatedTarget } from '../../evaluation/types.ts';

/** A result of some weights. */
interface Result {
  readonly target: EvaluatedTarget;
}

/** Which results in a run's folder are of the weights that its checkpoints hold now. */
export interface PresentWeights {
  readonly isPresent: (result: Result) => boolean;
  /** The names of the checkpoints of which there are other results. */
  readonly outdated: readonly string[];
}

/**
 * Compares results with the checkpoints. A checkpoint that is missing or damaged contradicts no result.
 *
 * @param last the checkpoint `last`, which is not read again; null if there is none that is whole
 */
export async function presentWeights(
  folder: string,
  results: readonly Result[],
  last: ReadCheckpoint | null,
): Promise<PresentWeights> {
  const names = new Set(results.flatMap(({ target }) => (target.format === 'checkpoint' ? [target.checkpoint] : [])));
  const present = new Map<string, string>();
  for (const name of CHECKPOINTS.filter((known) => names.has(known))) {
    const read = name === 'last' ? last : await checkpointAt(join(folder, 'checkpoints', `${name}.safetensors`));
    if (read?.warnings.length === 0) present.set(name, read.file.sha256);
  }
  const isPresent = ({ target: { checkpoint, format, sha256 } }: Result): boolean =>
    format !== 'checkpoint' || (present.get(checkpoint) ?? sha256) === sha256;
  const others = results.filter((result) => !isPresent(result)).map(({ target }) => target.checkpoint);
  return { isPresent, outdated: [...new Set(others)] };
}

/** A checkpoint; null if it is missing or damaged. */
async function checkpointAt(path: string): Promise<ReadCheckpoint | null> {
  if (!(await hasCheckpoint(path))) return null;
  try {
    return await readCheckpoint(path);
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
}
