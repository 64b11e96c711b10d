import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { checkImages } from './checks.ts';
import { checkClasses, meets, readGoal } from './goals.ts';
import { classifierOf } from './models.ts';
import type { AttackedModel, Goal } from './types.ts';

/**
 * Whether each adversarial image does what the goal asks, by the model's own prediction of the very tensor given: differs
 * from the label, or equals the target.
 *
 * @param adversarial [batch, height, width, channels]; borrowed
 * @param goal a bare integer label tensor means untargeted; borrowed
 */
export async function success(model: AttackedModel, adversarial: Tensor4D, goal: Goal | Tensor1D): Promise<boolean[]> {
  checkImages(adversarial);
  const wanted = await readGoal(goal, adversarial.shape[0]);
  const predictions = tf.tidy(() => {
    const logits = classifierOf(model)(adversarial);
    checkClasses(wanted, logits);
    // What is not a number is no class.
    return tf.where(tf.any(tf.isNaN(logits), 1), tf.scalar(-1, 'int32'), tf.argMax(logits, 1));
  });
  try {
    return Array.from(await predictions.data(), (predicted, i) => meets(wanted.kind, wanted.classes[i], predicted));
  } finally {
    predictions.dispose();
  }
}
