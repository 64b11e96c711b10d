// Training on the worst norm of each image.
import { crossEntropy } from '../../../../attacks/losses.ts';
import type { Combination } from './types.ts';
import { worstOf } from './worst-of.ts';

/**
 * The maximum (Tramèr and Boneh 2019, https://arxiv.org/abs/1904.13000): attacks each image in every norm and trains on the
 * example of highest cross-entropy, max_p CE(x_p, y).
 */
export const maximum: Combination = {
  ownSteps: false,
  build: (members) => ({ name: 'maximum', startNoise: null, perturb: worstOf(members, crossEntropy) }),
};
