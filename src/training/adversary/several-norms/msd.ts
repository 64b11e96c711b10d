// Multi steepest descent: one attack whose every step is the best of one step in each norm.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { finiteGradient } from '../../../../attacks/loops/finite-gradient.ts';
import { disposeGoal, goalTensors, readGoal } from '../../../../attacks/loops/goals.ts';
import { lossAndLogits, lossGradient } from '../../../../attacks/loops/loss-gradient.ts';
import { pixelsOf, report } from '../../../../attacks/loops/problem.ts';
import { chooseRows } from '../../../../attacks/loops/rows.ts';
import { crossEntropy } from '../../../../attacks/losses.ts';
import { classifierOf } from '../../../../attacks/models/classifier-of.ts';
import { confine } from '../../../../attacks/norms/ball.ts';
import { norms } from '../../../../attacks/norms/index.ts';
import { holding } from '../../../../attacks/support/tensor-scope.ts';
import type { Attack } from '../../../../attacks/types.ts';
import type { Combination, Member } from './types.ts';

/**
 * MSD (Maini, Wong and Kolter 2020, https://arxiv.org/abs/1909.04068): from the image, each step tries the projected steepest
 * step of every norm p and takes for each image the one of highest cross-entropy,
 *
 *     x_p = Π_p(x + α_p · steepest_p(∇ CE(x, y))),  x ← x_p* with p* = argmax_p CE(x_p, y)
 *
 * So an example lies in the ball of the norm of its last step. A step takes one gradient and a forward pass for each norm.
 */
export const msd: Combination = {
  ownSteps: true,
  build: (members) => ({ name: 'msd', startNoise: null, perturb: descend(members) }),
};

const descend =
  (members: readonly Member[]): Attack['perturb'] =>
  (model, images, goal, { onCost, onNonFinite, signal, start } = {}) =>
    holding(async ({ hold, release }) => {
      const [{ steps }] = members;
      const [batch] = images.shape;
      const classifier = classifierOf(model);
      const goals = goalTensors(await readGoal(goal, batch));
      const pixels = Float32Array.from(await images.data());
      const regions = members.map(({ norm, epsilon }) => norms[norm].region(epsilon, [0, 1], pixels, images.shape));

      /** The best of one step in each norm; owned by the caller. */
      const step = (at: Tensor4D): Promise<Tried> =>
        holding(async (inner) => {
          signal?.throwIfAborted();
          const here = lossGradient(classifier, crossEntropy, goals, at);
          tf.dispose([here.loss, here.logits]);
          const gradient = inner.hold(await finiteGradient(inner.hold(here.gradient), onNonFinite));
          onCost?.({ forwardPasses: batch, inputGradients: batch });
          let best: Tried | null = null;
          for (const [number, { stepSize }] of members.entries()) {
            const { project, steepest } = regions[number];
            const next = inner.hold(tf.tidy(() => project(tf.add(at, tf.mul(steepest(gradient, at), stepSize)))));
            const { loss } = await report(lossAndLogits(classifier, crossEntropy, goals, next));
            onCost?.({ forwardPasses: batch, inputGradients: 0 });
            best = better(best, { at: next, loss, taken: Array.from(loss, () => number) });
            inner.hold(best.at);
          }
          const found = best as Tried;
          return { ...found, at: inner.release(found.at) };
        });

      try {
        let at = hold(tf.clone(start ?? images));
        /** The member whose step each image took last. */
        let taken: readonly number[] = [];
        for (let done = 0; done < steps; done++) {
          const found = await step(at);
          release(at).dispose();
          at = hold(found.at);
          taken = found.taken;
        }
        const result = Float32Array.from(await at.data());
        taken.forEach((number, i) => {
          const { norm, epsilon } = members[number];
          confine(norms[norm], epsilon, pixelsOf(pixels, images.shape, i), pixelsOf(result, images.shape, i));
        });
        return tf.tensor4d(result, images.shape);
      } finally {
        disposeGoal(goals);
        for (const { dispose } of regions) dispose();
      }
    });

interface Tried {
  readonly at: Tensor4D;
  readonly loss: Float32Array;
  readonly taken: readonly number[];
}

/** Image by image the one of higher loss, of equal ones the first. */
function better(first: Tried | null, second: Tried): Tried {
  if (first === null) return second;
  const wins = Array.from(second.loss, (loss, i) => loss > first.loss[i]);
  return {
    at: chooseRows(wins, second.at, first.at),
    loss: second.loss.map((loss, i) => (wins[i] ? loss : first.loss[i])),
    taken: second.taken.map((number, i) => (wins[i] ? number : first.taken[i])),
  };
}
