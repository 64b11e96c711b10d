// What a collapse leads to: the run takes up the state at the end of an earlier epoch again. That state is a checkpoint of its
// own, so that a run that was stopped in between can go back too.

import { type ReadCheckpoint, readCheckpoint, writeCheckpoint } from '../../checkpoints/checkpoint.ts';
import { previousOf, removeFile } from '../../checkpoints/files/atomic-file.ts';
import { restoreCheckpoint } from '../../checkpoints/safetensors/stored.ts';
import { InputError } from '../../core/errors.ts';
import type { Guard } from '../../files/lock.ts';
import type { RunFolder } from '../run/run-folder.ts';
import { disposeTrainState, fromCheckpoint, type TrainState, toCheckpoint } from '../state.ts';
import type { Task } from '../task.ts';
import { MOST_COLLAPSES } from './rule.ts';

/**
 * Saves the state to go back to, at an epoch's start. Nothing happens if the last check was low, or if the run does not go back
 * any more.
 *
 * @param lock of the run's folder
 */
export async function keepSafe(
  task: Task,
  { guard: path }: RunFolder,
  state: TrainState,
  backend: string,
  lock: Guard,
): Promise<void> {
  const { guard, epoch, batch } = state;
  if (guard === null || guard.safe !== epoch || batch > 0 || guard.collapses === MOST_COLLAPSES) return;
  await writeCheckpoint(path, toCheckpoint(task, state, backend), { guard: lock });
}

/**
 * Puts the whole state back to the end of the epoch that is safe. Only the costs of training and the number of collapses are kept.
 *
 * @returns warnings about the file that was read
 * @throws InputError if there is no checkpoint of that epoch
 */
export async function goBack(task: Task, folder: RunFolder, state: TrainState): Promise<readonly string[]> {
  const { costs, guard } = state;
  if (guard === null) return [];
  const { stored, warnings } = await readSafe(folder, guard.safe);
  disposeTrainState(state);
  const { state: safe } = fromCheckpoint(task, restoreCheckpoint(stored));
  Object.assign(state, safe, { costs, guard: { ...guard, ...safe.guard, collapses: guard.collapses + 1 } });
  return warnings;
}

/** The file may be ahead of a run that had to continue from an older checkpoint than its newest; then the one before is due. */
async function readSafe({ guard: path }: RunFolder, epoch: number): Promise<ReadCheckpoint> {
  try {
    const newest = await readCheckpoint(path);
    const safe = newest.stored.epoch <= epoch ? newest : await readCheckpoint(previousOf(path));
    if (safe.stored.epoch <= epoch) return safe;
    throw new InputError(
      `${safe.file.path} is of the end of epoch ${safe.stored.epoch}, expected that of epoch ${epoch} or an earlier one.`,
    );
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError(
      `The network collapsed, and the checkpoint to return to cannot be used: ${error.message} Train again into another folder, with more attack steps (--steps 7).`,
      { cause: error },
    );
  }
}

/**
 * Removes the state to go back to, when a run is complete.
 *
 * @param lock of the run's folder
 */
export async function dropSafe({ guard: path }: RunFolder, lock: Guard): Promise<void> {
  for (const file of [path, previousOf(path)]) await removeFile(file, { guard: lock });
}
