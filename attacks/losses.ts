import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import { meant } from './meant.ts';
import type { Goal, Loss } from './types.ts';

// Every loss is what the attack increases: an untargeted one pushes away from the label, a targeted one to the target.
// One value a sample, [batch]; z are logits, y the label, t the target, z_(i) the i-th largest logit.

const classesOf = (goal: Goal): Tensor1D => (goal.kind === 'untargeted' ? goal.labels : goal.targets);

/** Cast, since TensorFlow.js's WebAssembly backend writes the bits of integers into a float32 one-hot tensor (4.22). */
const oneHot = (classes: Tensor, logits: Tensor2D): Tensor2D =>
  tf.cast(tf.oneHot(classes, logits.shape[1]), 'float32') as Tensor2D;

/** The logit of each sample's class. */
const pick = (logits: Tensor2D, hot: Tensor2D): Tensor1D => tf.sum(tf.mul(logits, hot), 1);

/** The largest logit of the other classes; far below any logit where the class itself would be. */
const strongestOther = (logits: Tensor2D, hot: Tensor2D): Tensor1D => tf.max(tf.sub(logits, tf.mul(hot, 1e30)), 1);

/** max_{j≠c} z_j − z_c: positive where another class wins. */
function margin(logits: Tensor2D, classes: Tensor1D): Tensor1D {
  needClasses('The margin', logits, 2);
  const hot = oneHot(classes, logits);
  return tf.sub(strongestOther(logits, hot), pick(logits, hot));
}

/** z_(1) … z_(count), each [batch]. TopK has no gradient in TensorFlow.js, so the logits are picked by their ranks. */
function largest(logits: Tensor2D, count: number): Tensor1D[] {
  const ranks = tf.customGrad((x) => ({
    value: oneHot(tf.topk(x as Tensor2D, count).indices, logits),
    gradFunc: () => tf.zerosLike(logits),
  }))(logits);
  return tf.unstack(ranks, 1).map((hot) => pick(logits, hot as Tensor2D));
}

function needClasses(what: string, logits: Tensor2D, least: number): void {
  if (logits.shape[1] < least) {
    throw new InputError(
      `${what} compares ${least} classes; the model has ${logits.shape[1]}. Use the loss 'cross-entropy' or 'cw-margin'.`,
    );
  }
}

/** Untargeted log Σ exp z − z_y, targeted z_t − log Σ exp z (Goodfellow et al. 2015, arXiv:1412.6572). */
export const crossEntropy: Loss = (logits, goal) => {
  const hot = oneHot(classesOf(goal), logits);
  const logLikelihood = tf.sum(tf.mul(hot, tf.logSoftmax(logits)), 1) as Tensor1D;
  return goal.kind === 'untargeted' ? tf.neg(logLikelihood) : logLikelihood;
};

/**
 * Untargeted max_{j≠y} z_j − z_y, targeted z_t − max_{j≠t} z_j (Carlini and Wagner 2017, arXiv:1608.04644). Its
 * gradient does not vanish where the softmax saturates.
 */
export const cwMargin: Loss = (logits, goal) => {
  const value = margin(logits, classesOf(goal));
  return goal.kind === 'untargeted' ? value : tf.neg(value);
};

/**
 * Carlini and Wagner's margin cut off above `confidence` κ, min(margin, κ): their −f₆, which stops pushing a sample once
 * it is misclassified by that much.
 *
 * @param confidence in units of logits, 0 or more
 */
export const cwMarginUpTo =
  (confidence: number): Loss =>
  (logits, goal) =>
    tf.minimum(cwMargin(logits, goal), confidence) as Tensor1D;

/**
 * The difference of logits ratio, unchanged when logits are shifted or scaled (Croce and Hein 2020, arXiv:2003.01690):
 * untargeted −(z_y − max_{j≠y} z_j) / (z_(1) − z_(3) + 1e-12), targeted −(z_y − z_t) / (z_(1) − (z_(3) + z_(4)) / 2 +
 * 1e-12), where y of a targeted goal is its label, or else the clean prediction.
 *
 * Throws for fewer than 3 classes, targeted fewer than 4.
 */
export const dlr: Loss = (logits, goal, cleanLogits?: Tensor2D) => {
  if (goal.kind === 'untargeted') {
    needClasses('The loss DLR', logits, 3);
    const [first, , third] = largest(logits, 3);
    return tf.div(margin(logits, goal.labels), tf.add(tf.sub(first, third), 1e-12));
  }
  needClasses('The targeted loss DLR', logits, 4);
  if (!goal.labels && !cleanLogits) {
    throw new InputError(
      'The targeted loss DLR needs the labels beside the targets, or the clean logits; neither came.',
    );
  }
  const labels = goal.labels ?? (tf.argMax(cleanLogits as Tensor2D, 1) as Tensor1D);
  const [first, , third, fourth] = largest(logits, 4);
  const spread = tf.add(tf.sub(first, tf.div(tf.add(third, fourth), 2)), 1e-12);
  return tf.div(tf.sub(pick(logits, oneHot(goal.targets, logits)), pick(logits, oneHot(labels, logits))), spread);
};

/** `dlr`, and where there are too few classes for it the margin: untargeted max_{j≠y} z_j − z_y, targeted z_t − z_y. */
export const dlrOrMargin: Loss = (logits, goal, cleanLogits?: Tensor2D) => {
  if (logits.shape[1] >= (goal.kind === 'untargeted' ? 3 : 4)) return dlr(logits, goal, cleanLogits);
  return goal.kind === 'targeted' && goal.labels ? logitDifference(logits, goal) : cwMargin(logits, goal);
};

/** z_t − z_y: of a target and the label beside it. */
export const logitDifference: Loss = (logits, goal) => {
  if (goal.kind === 'untargeted' || !goal.labels) {
    throw new InputError('The difference of two logits needs a targeted goal with labels beside the targets.');
  }
  return tf.sub(pick(logits, oneHot(goal.targets, logits)), pick(logits, oneHot(goal.labels, logits)));
};

/**
 * KL(p ‖ q) = Σ_j p_j (log p_j − log q_j), p the softmax of the clean logits, q of these (Zhang et al. 2019,
 * arXiv:1901.08573). It knows no label. Its gradient is 0 at the clean image, so start elsewhere.
 */
export const kl: Loss = (logits, goal, cleanLogits?: Tensor2D) => {
  if (goal.kind === 'targeted') {
    throw new InputError(`The loss 'kl' compares with the clean prediction and knows no target; use 'cross-entropy'.`);
  }
  if (!cleanLogits) throw new InputError(`The loss 'kl' needs the logits of the unperturbed images; none came.`);
  const logP = tf.logSoftmax(cleanLogits);
  return tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, tf.logSoftmax(logits))), 1);
};

/** The losses by name. */
export const losses = { 'cross-entropy': crossEntropy, 'cw-margin': cwMargin, dlr, kl } as const satisfies Record<
  string,
  Loss
>;

export type LossName = keyof typeof losses;

/** The loss of a name, or the caller's own. */
export function lossOf(loss: LossName | Loss): Loss {
  if (typeof loss === 'function') return loss;
  if (!Object.hasOwn(losses, loss)) {
    throw new InputError(
      `loss is one of ${Object.keys(losses).join(', ')}, or a function of (logits, goal, cleanLogits); ${loss} came.${meant(String(loss), Object.keys(losses))}`,
    );
  }
  return losses[loss];
}

/** Whether a loss compares with the clean logits: whether it declares its third parameter. */
export const usesCleanLogits = (loss: Loss): boolean => loss.length > 2;
