// The guard's checks during training. The rule that they follow is in `rule.ts`, what a collapse leads to in `go-back.ts`.

import { attackPlan } from '../adversary/plan.ts';
import type { Report } from '../run/event-log.ts';
import { measureAccuracy, measuredImages } from '../run/validate.ts';
import type { TrainState } from '../state.ts';
import type { Task } from '../task.ts';
import { collapsed, collapsedForGood } from './messages.ts';
import { afterCheck, checksWithin, type GuardState, goesBack, isNewlyCollapsed } from './rule.ts';

interface CheckOptions {
  readonly report: Report;
  readonly signal?: AbortSignal;
}

/** What a check, if one was due, led to. */
export interface Checked {
  /** The guard's state after it, which the state takes over when nothing can stop the run before its next checkpoint. */
  readonly guard: GuardState | null;
  /** True if the network has collapsed and the run is to go back. */
  readonly collapsed: boolean;
}

/**
 * The check before a batch, if one is due there.
 *
 * It precedes its batch, and the state takes it over with the batch's step. So a checkpoint inside an epoch is always of the
 * state before the check at its place, and a resume makes that check again.
 *
 * @param state borrowed and not changed
 */
export async function checkWithin(task: Task, state: TrainState, { report, signal }: CheckOptions): Promise<Checked> {
  if (!checksWithin(task.batchesPerEpoch).has(state.batch)) return unchecked(state);
  return check(task, state, report, async () => {
    const { robustAccuracy } = await measureAccuracy(task, state, measuredImages(task), { signal });
    return robustAccuracy;
  });
}

/**
 * The check at an epoch's end, on a measurement that is made there with or without a guard.
 *
 * @param state borrowed and not changed
 * @param accuracy robust accuracy of `measuredImages`
 */
export const checkAtEnd = (task: Task, state: TrainState, accuracy: number, report: Report): Promise<Checked> =>
  check(task, state, report, async () => accuracy);

const unchecked = ({ guard }: TrainState): Checked => ({ guard, collapsed: false });

/** The share of the most frequent class among the images that are measured. */
function constantAccuracy(task: Task): number {
  const { labels } = task.dataset.train;
  const images = measuredImages(task);
  const counts = new Map<number, number>();
  for (const image of images) counts.set(labels[image], (counts.get(labels[image]) ?? 0) + 1);
  return Math.max(...counts.values()) / images.length;
}

/** An epoch that attacks nothing is not checked: its network is not meant to be robust yet. */
async function check(task: Task, state: TrainState, report: Report, measure: () => Promise<number>): Promise<Checked> {
  const { config } = task;
  if (state.guard === null || attackPlan(config, state) === null) return unchecked(state);
  const accuracy = await measure();
  const guard = afterCheck(state.guard, accuracy, constantAccuracy(task));
  const at = { epoch: state.epoch + 1, step: state.step };
  await report({ kind: 'guard', ...at, accuracy, best: guard.best, low: guard.low });
  const collapses = guard.collapses + 1;
  const attack = attackPlan(config, { epoch: state.epoch, guard: { collapses } });
  if (goesBack(guard) && attack !== null) {
    const found = { accuracy, best: guard.best, returnsTo: guard.safe, collapses, attack };
    await report({ kind: 'collapse', ...at, ...found, message: collapsed(guard, accuracy, attack) });
    return { guard, collapsed: true };
  }
  if (isNewlyCollapsed(guard)) await report({ kind: 'warning', ...at, message: collapsedForGood(guard, accuracy) });
  return { guard, collapsed: false };
}
