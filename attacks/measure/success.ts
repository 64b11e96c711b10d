// Whether adversarial images do what was asked, by the model's own prediction.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { isWithinNoise } from '../loops/float-noise.ts';
import { checkClasses, meets, type ReadGoal, readGoal } from '../loops/goals.ts';
import { predictionsOf } from '../loops/predictions.ts';
import { classifierOf } from '../models/classifier-of.ts';
import { checkImages, readPixels } from '../support/images.ts';
import { pixelBounds } from '../support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from '../support/options.ts';
import type { AttackedModel, GivenGoal } from '../types.ts';

const SUCCESS_OPTIONS = {
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  bounds: pixelBounds,
} as const satisfies OptionTable;

/** Options of `success`. */
export type SuccessOptions = OptionsOf<typeof SUCCESS_OPTIONS>;

/**
 * True if each adversarial image does what the goal asks, by the model's own prediction of the very tensor given: differs
 * from the label, or equals the target.
 *
 * @param adversarial [batch, height, width, channels], pixels within the bounds; borrowed
 * @param goal bare labels mean untargeted; borrowed
 *
 * Throws InputError for pixels that are not finite or out of bounds, and for labels that the model does not have.
 */
export async function success(
  model: AttackedModel,
  adversarial: Tensor4D,
  goal: GivenGoal,
  options: SuccessOptions = {},
): Promise<boolean[]> {
  const { bounds } = readOptions('success', options, SUCCESS_OPTIONS);
  checkImages(adversarial);
  await readPixels(adversarial, bounds);
  const { solved } = await judge(model, adversarial, await readGoal(goal, adversarial.shape[0]));
  return solved;
}

/**
 * `success` of images and a goal that were read already, how many of the successes are so close that another runtime may not have
 * them, at how many the model returned NaN, and the number of classes that it knows.
 *
 * @param turn awaited before the model is called, and after, since what comes next may be an attack with turns of its own
 */
export async function judge(
  model: AttackedModel,
  images: Tensor4D,
  goal: ReadGoal,
  turn: () => Promise<void> = async () => {},
): Promise<{
  readonly solved: boolean[];
  readonly withinNoise: number;
  readonly notNumbers: number;
  readonly classes: number;
}> {
  await turn();
  const logits = tf.tidy(() => {
    const outputs = classifierOf(model)(images);
    checkClasses(goal, outputs);
    return outputs;
  });
  try {
    const classes = logits.shape[1];
    const values = (await logits.data()) as Float32Array;
    const predictions = predictionsOf(values, classes);
    const solved = predictions.map((predicted, i) => meets(goal.kind, goal.classes[i], predicted));
    const withinNoise = solved.filter(
      (is, i) => is && isWithinNoise(goal.kind, goal.classes[i], values.subarray(i * classes, (i + 1) * classes)),
    ).length;
    await turn();
    return { solved, withinNoise, notNumbers: predictions.filter((predicted) => predicted < 0).length, classes };
  } finally {
    logits.dispose();
  }
}
