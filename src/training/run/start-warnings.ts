import { updatesAfter } from '../../sparsity/schedules.ts';
import { isAdversarial } from '../config/conditions.ts';
import type { Task } from '../task.ts';

/** What is allowed but hardly meant, told when a run starts. */
export const startWarnings = (task: Task): string[] =>
  [noImagesHeldOut, masksNeverChange, snapshotsBehindUpdates, pulledToCleanTraining]
    .map((warning) => warning(task))
    .filter((message) => message !== null);

function noImagesHeldOut({ indices: { train, validation } }: Task): string | null {
  if (validation.length > 0) return null;
  return `No images are held out of ${train.length}, so nothing tells which epoch is best: best.safetensors is the last one. From 10 training images on (--train-limit) one in 20 is held out.`;
}

function masksNeverChange({ sparsifier, config, totalSteps }: Task): string | null {
  if (sparsifier === null || updatesAfter(sparsifier, { step: 0, totalSteps })) return null;
  const { updateInterval = 1, updateBegin = 0 } = config;
  const first = updateInterval * Math.max(1, Math.ceil((updateBegin * totalSteps) / updateInterval));
  return `The masks never change: the first update would come after step ${first}, and updates end in a run of ${totalSteps} steps before. Set a shorter updateInterval (--update-interval), or use method static.`;
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
  return `The snapshot of ${when} is taken right behind a mask update. A channel that was empty and just grew is all zeros there; batch norm makes its gradient huge, and every correction of the epoch carries it. Choose an updateInterval (--update-interval) that has no factor in common with the ${batchesPerEpoch} steps of an epoch; now it is ${config.updateInterval}. Or take agentVariant stable (--agent-variant stable), whose snapshots wait.`;
}

/** Under attack the g̃ of a step is of adversarial examples, and a u of clean ones is not its mean. */
function pulledToCleanTraining({ rule, prepass, config }: Task): string | null {
  if (!rule.corrects || rule.adaptive || prepass.examples !== 'clean' || !isAdversarial(config)) return null;
  return `The pre-pass ${config.agentPrepass} sees clean images, and ${config.optimizer} adds all or most of u − g̃ at every step, g̃ being of adversarial examples: training is pulled towards that on clean images, and ends far less robust. Take agentPrepass matched (--agent-prepass matched), the default here.`;
}
