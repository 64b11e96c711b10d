// Putting the parts of an evaluation together from their files.

import { InputError, UsageError } from '../../core/errors.ts';
import type { MeasureState } from '../measure/types.ts';
import { differences, type Identity, type KeptState, readKept } from '../results/resume-file.ts';
import { mergeParts } from './part.ts';

/** The field of an identity that says which part a file is: `2/4`. */
export const PART_FIELD = '--shard';
/** The field that is true in the file of a part that is complete. */
export const COMPLETE_FIELD = 'complete';

interface PartFile extends KeptState {
  readonly path: string;
  readonly part: string;
}

/**
 * What all parts of an evaluation found together.
 *
 * @param paths files of parts, also of other checkpoints of the run
 * @param identity what the evaluation belongs to
 * @param checkpoint its name, for messages
 * @throws InputError if a file is damaged or no part, or if a part is missing, twice there or not complete; UsageError if it
 * was made with other settings
 */
export async function mergedState(
  paths: readonly string[],
  identity: Identity,
  checkpoint: string,
): Promise<MeasureState> {
  const files = await Promise.all(paths.map(readPart));
  const own = files.filter(({ identity: kept }) => kept['the model'] === identity['the model']);
  if (own.length === 0) {
    throw new InputError(
      `None of the files of --merge (${paths.join(', ')}) is a part of the evaluation of ${checkpoint}. Make parts of it with --shard.`,
    );
  }
  for (const { path, identity: kept } of own) {
    const others = differences(identity, kept);
    if (others.length > 0) {
      throw new UsageError(
        `${path} differs in ${others.join(', ')}. Give the target and the flags that the parts were made with.`,
      );
    }
  }
  checkAllThere(own, checkpoint);
  return mergeParts(own.map(({ state }) => state));
}

async function readPart(path: string): Promise<PartFile> {
  const kept = await readKept(path);
  const part = kept?.identity[PART_FIELD];
  if (kept === null || typeof part !== 'string') {
    throw new InputError(
      `${path} does not exist, or is no part of an evaluation of this version. Make it with equipoise evaluate --shard.`,
    );
  }
  return { ...kept, path, part };
}

/** @throws InputError unless every part is there once and complete */
function checkAllThere(files: readonly PartFile[], checkpoint: string): void {
  const count = Number(files[0].part.split('/')[1]);
  const found = files.map(({ part }) => part);
  const wanted = Array.from({ length: count }, (_, i) => `${i + 1}/${count}`);
  const strange = files.find(({ part }, i) => !wanted.includes(part) || found.indexOf(part) < i);
  if (strange !== undefined) {
    throw new InputError(
      `${strange.path} is part ${strange.part} of ${checkpoint}, which does not go with the others. Give each part of one division once.`,
    );
  }
  const missing = wanted.filter((part) => !found.includes(part));
  if (missing.length > 0) {
    throw new InputError(
      `Of the evaluation of ${checkpoint} the parts ${missing.join(', ')} are missing. Make them with --shard.`,
    );
  }
  const partial = files.find(({ identity }) => identity[COMPLETE_FIELD] !== true);
  if (partial !== undefined) {
    throw new InputError(
      `${partial.path}, part ${partial.part} of ${checkpoint}, is not complete. Repeat its command, which continues it.`,
    );
  }
}
