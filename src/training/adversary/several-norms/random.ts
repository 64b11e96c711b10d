// Training on a random norm for each image.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { disposeGoal, goalTensors, readGoal, takeGoal } from '../../../../attacks/loops/goals.ts';
import { takeRows } from '../../../../attacks/loops/rows.ts';
import { holding } from '../../../../attacks/support/tensor-scope.ts';
import { foldIn, integers, seedKey } from '../../../core/key.ts';
import type { Combination } from './types.ts';

/**
 * The random choice (Tramèr and Boneh 2019, https://arxiv.org/abs/1904.13000, there as a cheaper form of the average): attacks
 * each image in one norm, drawn anew in every epoch by the image's number, so that it costs as much as one norm.
 */
export const random: Combination = {
  ownSteps: false,
  build: (members) => ({
    name: 'random',
    startNoise: null,
    perturb: (model, images, goal, options = {}) =>
      holding(async ({ hold }) => {
        const [batch] = images.shape;
        const { key = seedKey(0), samples = Array.from({ length: batch }, (_, i) => i), start } = options;
        const wanted = await readGoal(goal, batch);
        const drawn = samples.map((sample) => integers(foldIn(foldIn(key, 'norm'), sample), 1, members.length)[0]);
        const pieces: Tensor4D[] = [];
        const order: number[] = [];
        for (const [number, { norm, attack }] of members.entries()) {
          const rows = Array.from(drawn.keys()).filter((row) => drawn[row] === number);
          if (rows.length === 0) continue;
          const part = goalTensors(takeGoal(wanted, rows));
          try {
            const examples = await attack.perturb(model, hold(takeRows(images, rows)), part, {
              ...options,
              key: foldIn(key, norm),
              samples: rows.map((row) => samples[row]),
              start: start && hold(takeRows(start, rows)),
            });
            pieces.push(hold(examples));
          } finally {
            disposeGoal(part);
          }
          order.push(...rows);
        }
        return tf.tidy(() =>
          takeRows(
            tf.concat(pieces, 0),
            Array.from({ length: batch }, (_, row) => order.indexOf(row)),
          ),
        );
      }),
  }),
};
