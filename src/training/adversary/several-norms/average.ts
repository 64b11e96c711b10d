// Training on every norm at once.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { holding } from '../../../../attacks/support/tensor-scope.ts';
import { foldIn, seedKey } from '../../../core/key.ts';
import type { Combination } from './types.ts';

/**
 * The average (Tramèr and Boneh 2019, https://arxiv.org/abs/1904.13000): attacks each image in every norm and trains on all
 * examples, mean_p CE(x_p, y). A batch has as many examples of each image as there are norms: those of the first norm, then
 * those of the second, and so on, in one forward pass.
 */
export const average: Combination = {
  ownSteps: false,
  build: (members) => ({
    name: 'average',
    startNoise: null,
    perturb: (model, images, goal, options = {}) =>
      holding(async ({ hold }) => {
        const { key = seedKey(0) } = options;
        const examples: Tensor4D[] = [];
        for (const { norm, attack } of members) {
          examples.push(hold(await attack.perturb(model, images, goal, { ...options, key: foldIn(key, norm) })));
        }
        return tf.concat(examples, 0);
      }),
  }),
};
