// The settings of the smallest run of a sweep.
import type { TrainOptions } from '../../src/training/config/config.ts';

export const smallest = {
  dataset: 'synthetic',
  model: 'mlp',
  width: 1 / 64,
  trainLimit: 20,
  testLimit: 20,
  epochs: 1,
  steps: 1,
  backend: 'cpu',
} as const satisfies TrainOptions;
