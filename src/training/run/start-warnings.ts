// Warnings at the start of a run about settings that are allowed but work badly together.
import { plural } from '../../core/quantities.ts';
import { updatesAfter } from '../../sparsity/schedules.ts';
import { correctsEpoch, snapshotPosition } from '../agent/snapshot-time.ts';
import { isAdversarial } from '../config/conditions.ts';
import { learningRateAt, type Task } from '../task.ts';

/** Warnings at the start of a run about settings that are allowed but probably not intended. */
export const startWarnings = (task: Task): string[] =>
  [noImagesHeldOut, weightsNeverMove, masksNeverChange, nothingCorrected, snapshotsBehindUpdates, pulledToCleanTraining]
    .map((warning) => warning(task))
    .filter((message) => message !== null);

function noImagesHeldOut({ indices: { train, validation } }: Task): string | null {
  if (validation.length > 0) return null;
  return `No images are held out of ${train.length}, so best.safetensors is the last epoch: without held-out images no epoch can be called the best. Train on at least 10 images (--train-limit) to hold out one in 20.`;
}

/** The schedule linear begins with a learning rate of 0, which is that of the whole run if it has one step. */
function weightsNeverMove(task: Task): string | null {
  const { totalSteps, config } = task;
  for (let step = 0; step < totalSteps; step++) if (learningRateAt(task, step) > 0) return null;
  return `No weight is trained: the run has ${plural(totalSteps, 'step')}, and the schedule ${config.schedule} begins with a learning rate of 0. Train for more epochs (--epochs), with smaller batches (--batch-size), or with another schedule (--schedule).`;
}

function masksNeverChange({ sparsifier, config, totalSteps }: Task): string | null {
  if (sparsifier === null || updatesAfter(sparsifier, { step: 0, totalSteps })) return null;
  const { updateInterval = 1, updateBegin = 0 } = config;
  const first = updateInterval * Math.max(1, Math.ceil((updateBegin * totalSteps) / updateInterval));
  return `The masks never change: the first update would follow step ${first}, but in a run of ${plural(totalSteps, 'step')} the updates end before that. Set a shorter updateInterval (--update-interval), or use method static.`;
}

/** The first epoch has no gradients to remember, and an epoch that waits for its snapshot to the end none to correct by. */
function nothingCorrected(task: Task): string | null {
  const { rule, prepass, config, batchesPerEpoch, agent } = task;
  if (!rule.corrects) return null;
  const remembers = prepass.gradients === 'remembered';
  for (let epoch = remembers ? 1 : 0; epoch < config.epochs; epoch++) {
    if (correctsEpoch(task, epoch) && (remembers || snapshotPosition(task, epoch) < batchesPerEpoch)) return null;
  }
  const first = remembers ? Math.max(2, agent.firstEpoch) : agent.firstEpoch;
  return `No gradient is ever corrected, so the run is plain SGD: corrections begin with epoch ${first}, and no step of the ${plural(config.epochs, 'epoch')} of the run comes behind a snapshot or a remembered gradient from then on. Train for more epochs (--epochs), or set an earlier agentFirstEpoch (--agent-first-epoch) or a smaller agentSnapshotDelay (--agent-snapshot-delay).`;
}

/**
 * Weights grow at 0, so a channel that was empty and grew is all zeros in a snapshot that is taken at once. Batch norm
 * multiplies its gradient there by 1/√ε, and the epoch's corrections with it.
 */
function snapshotsBehindUpdates({
  sparsifier,
  rule,
  prepass,
  agent,
  config,
  totalSteps,
  batchesPerEpoch,
}: Task): string | null {
  if (!rule.corrects || prepass.gradients === 'remembered' || sparsifier?.preserves !== 'kernels') return null;
  if (agent.snapshotDelay > 0 || agent.emptyChannels === 'uncorrected') return null;
  const epochs: number[] = [];
  for (let epoch = 1; epoch < config.epochs; epoch++) {
    if (sparsifier.updatesAt({ step: epoch * batchesPerEpoch, totalSteps })) epochs.push(epoch + 1);
  }
  if (epochs.length === 0) return null;
  const when = epochs.length === 1 ? `epoch ${epochs[0]}` : `${epochs.length} epochs, the first is epoch ${epochs[0]},`;
  return `The snapshot of ${when} is taken right after a mask update. A channel that was empty and has just grown is all zeros in it. Batch norm makes the gradient of such a channel huge, and every correction of the epoch contains it. Choose an updateInterval (--update-interval) that has no factor in common with the ${batchesPerEpoch} steps of an epoch; it is ${config.updateInterval}. Or use agentVariant stable (--agent-variant stable), whose snapshots wait.`;
}

/** A warning if the pre-pass sees clean images in adversarial training: u is then not the mean of the steps' g̃. */
function pulledToCleanTraining({ rule, prepass, config }: Task): string | null {
  if (!rule.corrects || rule.adaptive || prepass.examples !== 'clean' || !isAdversarial(config)) return null;
  return `The pre-pass ${config.agentPrepass} sees clean images, while g̃ is the gradient of adversarial examples. ${config.optimizer} adds all or most of u − g̃ at every step, so training is pulled towards training on clean images and ends far less robust. Use agentPrepass matched (--agent-prepass matched), the default here.`;
}
