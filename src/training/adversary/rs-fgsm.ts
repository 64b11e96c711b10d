// One-step adversarial training from a random point of the ball ("fast adversarial training").

import { fgsm } from '../../../attacks/fgsm.ts';
import type { Adversary } from './types.ts';

/**
 * RS-FGSM (Wong, Rice and Kolter 2020, https://arxiv.org/abs/2001.03994): x₀ uniform in the ball, clipped to pixels, then
 *
 *   x′ = Π(x₀ + 1.25 ε · steepest(∇ loss(x₀)))
 *
 * where Π projects onto the ball and clips to pixels. Its random start stands in for that of the objective.
 */
export const rsFgsm: Adversary = {
  steps: 1,
  stepSize: (epsilon) => 1.25 * epsilon,
  build: ({ norm, epsilon, stepSize, inner }) => ({
    ...fgsm({ name: 'rs-fgsm', norm, epsilon, stepSize, randomStart: true, loss: inner.loss }),
    startNoise: null,
  }),
};
