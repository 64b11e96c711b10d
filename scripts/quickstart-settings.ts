// The setting of the quickstart, which the study of AGENT's settings takes up.
import type { AttackSpec } from '../src/evaluation/attacks/named-attacks.ts';
import type { TrainOptions } from '../src/training/config/config.ts';

/** What the runs of the quickstart share. */
export const QUICKSTART: TrainOptions = {
  dataset: 'mnist10k',
  model: 'cnn',
  width: 0.5,
  method: 'rigl',
  // No divisor of the epoch's 50 steps: AGENT's snapshots should not fall right behind a mask update.
  updateInterval: 19,
  objective: 'at',
  norm: 'linf',
  epsilon: 0.1,
  steps: 7,
  stepSize: 0.025,
  epochs: 6,
  batchSize: 32,
  lr: 0.1,
  trainLimit: 1600,
};

/** What every run is measured by, on this many test images. */
export const ATTACK: AttackSpec = { kind: 'pgd', steps: 20, restarts: 2, loss: 'ce' };
export const TEST_IMAGES = 500;
