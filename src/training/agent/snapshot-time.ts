// The time of a snapshot, and the steps that it corrects. Both depend on the configuration alone, so a resume needs no state for them.
import type { Task } from '../task.ts';

/**
 * The number of batches of an epoch (counted from 0) that are trained before its snapshot is taken: 0, or as many as keep the
 * snapshot `snapshotDelay` steps behind the last mask update. All of them if an update comes too often for any snapshot.
 */
export function snapshotPosition(
  { sparsifier, agent: { snapshotDelay }, batchesPerEpoch, totalSteps }: Task,
  epoch: number,
): number {
  if (sparsifier === null || snapshotDelay === 0) return 0;
  const updated = (step: number) => step > 0 && sparsifier.updatesAt({ step, totalSteps });
  let wait = 0;
  for (let back = 0; back < snapshotDelay; back++) {
    if (!updated(epoch * batchesPerEpoch - back)) continue;
    wait = snapshotDelay - back;
    break;
  }
  for (let position = 1; position <= Math.min(wait, batchesPerEpoch); position++) {
    if (updated(epoch * batchesPerEpoch + position)) wait = position + snapshotDelay;
  }
  return Math.min(wait, batchesPerEpoch);
}

/** True if the steps of an epoch (counted from 0) are corrected from its snapshot on. */
export const correctsEpoch = ({ rule, agent }: Task, epoch: number): boolean =>
  rule.corrects && epoch + 1 >= agent.firstEpoch;
