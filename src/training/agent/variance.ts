// The variance of the gradient with and without correction, measured in the middle of an epoch.
import { disposeTensors } from '../../core/params.ts';
import type { Correction } from '../../optimizers/agent.ts';
import { compareVariance, type GradientPair } from '../../optimizers/variance.ts';
import { batchesOfEpoch, disposeBatch, drawBatch, withAdversarial } from '../batches/batches.ts';
import { lossGradients } from '../loss-gradients.ts';
import type { TrainState } from '../state.ts';
import type { Task } from '../task.ts';
import { correctionFor, disposeCorrection, type KeptGradients } from './correction.ts';
import { snapshotPosition } from './snapshot-time.ts';

/** How many batches the variance of the gradient is measured on. */
export const VARIANCE_BATCHES = 3;

/** The batch of an epoch, both from 0, before which the variance is measured: in its middle, and not before the snapshot. */
export function variancePosition(task: Task, epoch: number): number {
  const { batchesPerEpoch: batches } = task;
  const middle = Math.max(0, Math.min(Math.floor(batches / 2), batches - VARIANCE_BATCHES));
  return Math.max(middle, snapshotPosition(task, epoch));
}

/**
 * The variance of the gradient over the next few batches, all at the weights as they are, without and with the
 * correction. It is a measurement beside training: no cost of the run, and nothing changes. Null if there are fewer
 * than two batches.
 */
export async function measureVariance(
  task: Task,
  state: TrainState,
  kept: KeptGradients,
): Promise<TrainState['variance']> {
  const batches = batchesOfEpoch(task, state.epoch).slice(state.batch, state.batch + VARIANCE_BATCHES);
  if (batches.length < 2) return null;
  const weights = { params: state.params, state: state.statistics };
  const pairs: GradientPair[] = [];
  const corrections: Correction[] = [];
  for (const [offset, indices] of batches.entries()) {
    const drawn = drawBatch(task, state.epoch, indices);
    const { batch } = await withAdversarial(task, task.attacks.training(state), weights, state.epoch, drawn);
    const result = lossGradients(task.program, task.objective, weights, batch);
    result.loss.dispose();
    disposeTensors(result.state);
    const { correction } = await correctionFor(task, state, kept, state.batch + offset, batch);
    disposeBatch(batch);
    if (correction === null) {
      disposeTensors(result.gradients);
      continue;
    }
    corrections.push(correction);
    pairs.push({ gradient: result.gradients, snapshotGradient: correction.snapshotGradient });
  }
  let variance: TrainState['variance'] = null;
  if (corrections.length > 1) {
    const [{ snapshotMean, coefficient, maps }] = corrections;
    variance = await compareVariance(pairs, snapshotMean, coefficient, maps);
  }
  for (const { gradient } of pairs) disposeTensors(gradient);
  for (const correction of corrections) disposeCorrection(correction);
  return variance;
}
