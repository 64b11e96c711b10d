// One-step adversarial training from noisy images, with nothing projected onto the ball.

import { norms } from '../../../attacks/norms/index.ts';
import { pgd } from '../../../attacks/pgd.ts';
import type { Attack } from '../../../attacks/types.ts';
import { seedKey } from '../../core/key.ts';
import { withNoise } from './noise.ts';
import type { Adversary } from './types.ts';

/** The radius of the noise over ε. */
const NOISE = 2;

/**
 * N-FGSM (de Jorge et al. 2022, https://arxiv.org/abs/2202.01181): η uniform in the ball of radius 2 ε, then
 *
 *   x₀ = clip(x + η),  x′ = clip(x₀ + ε · steepest(∇ loss(x₀)))
 *
 * with both clipped to pixels. The result lies up to 3 ε from the image. Its noise stands in for the start of the objective.
 */
export const nFgsm: Adversary = {
  steps: 1,
  stepSize: (epsilon) => epsilon,
  build: ({ norm, epsilon, stepSize, inner }) => {
    // Noise and step stay within this ball, so that projecting onto it changes nothing; no linf ball is wider than all pixels.
    const reach = NOISE * epsilon + stepSize;
    const step = pgd({
      name: 'n-fgsm',
      norm,
      epsilon: Math.min(norms[norm].largestRadius(1), reach),
      steps: 1,
      stepSize,
      loss: inner.loss,
    });
    const perturb: Attack['perturb'] = async (model, images, goal, options = {}) => {
      if (options.start) return step.perturb(model, images, goal, options);
      const { key = seedKey(0), samples = Array.from({ length: images.shape[0] }, (_, i) => i) } = options;
      const start = withNoise(images, samples, key, (stream, size) =>
        norms[norm].sample(stream, size, NOISE * epsilon),
      );
      try {
        return await step.perturb(model, images, goal, { ...options, start });
      } finally {
        start.dispose();
      }
    };
    return { ...step, perturb, startNoise: null };
  },
};
