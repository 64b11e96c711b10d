// The worst of several attacks, image by image.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { disposeGoal, goalTensors, readGoal } from '../../../../attacks/loops/goals.ts';
import { lossAndLogits } from '../../../../attacks/loops/loss-gradient.ts';
import { report } from '../../../../attacks/loops/problem.ts';
import { takeRows } from '../../../../attacks/loops/rows.ts';
import { bestIterates } from '../../../../attacks/loops/stack.ts';
import { classifierOf } from '../../../../attacks/models/classifier-of.ts';
import type { Attack, Loss, NormName } from '../../../../attacks/types.ts';
import { foldIn, seedKey } from '../../../core/key.ts';

/** An attack in one of several norms. */
export interface InNorm {
  readonly norm: NormName;
  readonly attack: Pick<Attack, 'perturb'>;
}

/**
 * The `perturb` that runs every attack on every image and returns, for each image, the example of highest loss. Each attack has
 * a key of its own, by its norm.
 */
export const worstOf =
  (attacks: readonly InNorm[], loss: Loss): Attack['perturb'] =>
  async (model, images, goal, options = {}): Promise<Tensor4D> => {
    const { key = seedKey(0), onCost } = options;
    const [batch] = images.shape;
    const goals = goalTensors(await readGoal(goal, batch));
    const best = bestIterates();
    try {
      for (const { norm, attack } of attacks) {
        const adversarial = await attack.perturb(model, images, goal, { ...options, key: foldIn(key, norm) });
        try {
          best.take(adversarial, (await report(lossAndLogits(classifierOf(model), loss, goals, adversarial))).loss);
        } finally {
          adversarial.dispose();
        }
        onCost?.({ forwardPasses: batch, inputGradients: 0 });
      }
      return takeRows(
        best.get().adversarial,
        Array.from({ length: batch }, (_, i) => i),
      );
    } finally {
      disposeGoal(goals);
      best.dispose();
    }
  };
