// Projected gradient descent as a training attack: every step runs, and the last iterate is trained on.

import { pgd as attack, defaultStepSize } from '../../../attacks/pgd.ts';
import type { Adversary } from './types.ts';

/** PGD (Madry et al. 2018, https://arxiv.org/abs/1706.06083), from the start that the objective wants. */
export const pgd: Adversary = {
  steps: null,
  stepSize: defaultStepSize,
  build: ({ norm, epsilon, steps, stepSize, inner }) => ({
    ...attack({ norm, epsilon, steps, stepSize, loss: inner.loss }),
    startNoise: inner.startNoise,
  }),
};
