// Projected gradient descent as a training attack: every step runs, and the last iterate is trained on.

import { pgd as attack } from '../../../attacks/pgd.ts';
import type { Adversary } from './types.ts';

/** The step size of PGD if nothing else is said: 2.5 · epsilon / steps (Madry et al. 2018). */
export const defaultStepSize = (epsilon: number, steps: number): number => (2.5 * epsilon) / steps;

/** PGD (Madry et al. 2018, https://arxiv.org/abs/1706.06083), from the start that the objective wants. */
export const pgd: Adversary = {
  steps: null,
  stepSize: defaultStepSize,
  build: ({ norm, epsilon, steps, stepSize, inner }) => ({
    ...attack({ norm, epsilon, steps, stepSize, loss: inner.loss }),
    startNoise: inner.startNoise,
  }),
};
