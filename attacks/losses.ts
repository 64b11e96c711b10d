// What attacks increase, one value a sample, [batch]: an untargeted loss pushes away from the label, a targeted one to the
// target. z are logits, y the label, t the target, z_(i) the i-th largest logit. Margins and ratios of logits hold over the
// whole range of float32.
import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import { moderation } from './norms/moderate.ts';
import { describe } from './support/describe.ts';
import { checkClassTensor } from './support/labels.ts';
import { meant } from './support/other-names.ts';
import type { Goal, Loss } from './types.ts';

/** The labels of an untargeted goal, the targets of a targeted one. */
const classesOf = (goal: Goal, logits: Tensor2D): Tensor1D =>
  goal.kind === 'untargeted' ? checked('labels', goal.labels, logits) : checked('targets', goal.targets, logits);

function checked(name: string, classes: Tensor1D, logits: Tensor2D): Tensor1D {
  checkClassTensor(name, classes, logits.shape[0]);
  return classes;
}

/** True at the named classes: bool [..., classes] for class numbers [...]. */
const isClass = (classes: Tensor, logits: Tensor2D): Tensor =>
  tf.equal(tf.expandDims(classes, -1), tf.range(0, logits.shape[1], 1, 'int32'));

/** The logit of each sample's class, at which `chosen` is true; the others may be infinite. */
const pick = (logits: Tensor2D, chosen: Tensor): Tensor1D => tf.sum(tf.where(chosen, logits, tf.zerosLike(logits)), 1);

const pickClass = (logits: Tensor2D, classes: Tensor1D): Tensor1D => pick(logits, isClass(classes, logits));

/** The largest logit of the other classes. */
const strongestOther = (logits: Tensor2D, classes: Tensor1D): Tensor1D =>
  tf.max(tf.where(isClass(classes, logits), tf.fill(logits.shape, Number.NEGATIVE_INFINITY), logits), 1);

/** max_{j≠c} z_j − z_c: positive where another class wins. */
function margin(logits: Tensor2D, classes: Tensor1D): Tensor1D {
  needClasses('The margin', logits, 2);
  return tf.sub(strongestOther(logits, classes), pickClass(logits, classes));
}

/** A function of a tensor as a constant: no gradient goes through it. */
const constant = <T extends Tensor>(of: (x: T) => Tensor, x: T): Tensor =>
  tf.customGrad((given) => ({ value: of(given as T), gradFunc: () => tf.zeros(x.shape) }))(x);

/** z_(1) … z_(count), each [batch]. TopK has no gradient in TensorFlow.js, so the logits are picked by their ranks. */
function largest(logits: Tensor2D, count: number): Tensor1D[] {
  const ranks = constant((z) => tf.cast(isClass(tf.topk(z, count).indices, logits), 'float32'), logits);
  return tf.unstack(ranks, 1).map((chosen) => pick(logits, tf.cast(chosen, 'bool')));
}

/**
 * A difference of logits over their spread, 0 or more; over 1 where the spread is 0. Both are multiplied by a power of two
 * first, since the gradient of a quotient squares the divisor.
 */
function ratio(difference: Tensor1D, spread: Tensor1D): Tensor1D {
  const factor = constant((s) => moderation(s), spread);
  const none = constant((s) => tf.cast(tf.equal(s, 0), 'float32'), spread);
  return tf.div(tf.mul(difference, factor), tf.add(tf.mul(spread, factor), none));
}

/** A loss that compares with the clean logits. */
const comparing = (
  loss: (logits: Tensor2D, goal: Goal, cleanLogits: Tensor2D | undefined) => Tensor1D,
): Loss & { readonly needsCleanLogits: true } =>
  Object.assign((logits: Tensor2D, goal: Goal, cleanLogits?: Tensor2D) => loss(logits, goal, cleanLogits), {
    needsCleanLogits: true as const,
  });

function needClasses(what: string, logits: Tensor2D, least: number): void {
  if (logits.shape[1] < least) {
    throw new InputError(
      `${what} compares ${least} classes; the model has ${logits.shape[1]}. Use the loss 'ce' or 'cw'.`,
    );
  }
}

/** Untargeted log Σ exp z − z_y, targeted z_t − log Σ exp z (Goodfellow et al. 2015, arXiv:1412.6572). */
export const crossEntropy: Loss = (logits, goal) => {
  const logLikelihood = pickClass(tf.logSoftmax(logits), classesOf(goal, logits));
  return goal.kind === 'untargeted' ? tf.neg(logLikelihood) : logLikelihood;
};

/**
 * Untargeted max_{j≠y} z_j − z_y, targeted z_t − max_{j≠t} z_j (Carlini and Wagner 2017, arXiv:1608.04644). Its
 * gradient does not vanish where the softmax saturates.
 */
export const cwMargin: Loss = (logits, goal) => {
  const value = margin(logits, classesOf(goal, logits));
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
 * untargeted −(z_y − max_{j≠y} z_j) / (z_(1) − z_(3)), targeted −(z_y − z_t) / (z_(1) − (z_(3) + z_(4)) / 2), where y of a
 * targeted goal is its label, or else the clean prediction. The divisor is 1 where these logits are equal; the authors' code
 * adds 1e-12 to it, which would depend on the scale.
 *
 * Throws for fewer than 3 classes, targeted fewer than 4.
 */
export const dlr: Loss = comparing((logits, goal, cleanLogits) => {
  if (goal.kind === 'untargeted') {
    needClasses('The loss DLR', logits, 3);
    const [first, , third] = largest(logits, 3);
    return ratio(margin(logits, classesOf(goal, logits)), tf.sub(first, third));
  }
  needClasses('The targeted loss DLR', logits, 4);
  if (!goal.labels && !cleanLogits) {
    throw new InputError(
      'The targeted loss DLR needs the labels beside the targets, or the clean logits, got neither. Give the goal labels.',
    );
  }
  const labels = goal.labels
    ? checked('labels', goal.labels, logits)
    : (tf.argMax(cleanLogits as Tensor2D, 1) as Tensor1D);
  const [first, , third, fourth] = largest(logits, 4);
  const spread = tf.sub(first, tf.add(tf.div(third, 2), tf.div(fourth, 2))) as Tensor1D;
  return ratio(tf.sub(pickClass(logits, classesOf(goal, logits)), pickClass(logits, labels)), spread);
});

/** `dlr`, and where there are too few classes for it the margin: untargeted max_{j≠y} z_j − z_y, targeted z_t − z_y. */
export const dlrOrMargin: Loss = comparing((logits, goal, cleanLogits) => {
  if (logits.shape[1] >= (goal.kind === 'untargeted' ? 3 : 4)) return dlr(logits, goal, cleanLogits);
  return goal.kind === 'targeted' && goal.labels ? logitDifference(logits, goal) : cwMargin(logits, goal);
});

/** z_t − z_y: of a target and the label beside it. */
export const logitDifference: Loss = (logits, goal) => {
  if (goal.kind === 'untargeted' || !goal.labels) {
    throw new InputError('The difference of two logits needs a targeted goal with labels beside the targets.');
  }
  return tf.sub(pickClass(logits, classesOf(goal, logits)), pickClass(logits, checked('labels', goal.labels, logits)));
};

/**
 * KL(p ‖ q) = Σ_j p_j (log p_j − log q_j), p the softmax of the clean logits, q of these (Zhang et al. 2019,
 * arXiv:1901.08573). It knows no label. Its gradient is 0 at the clean image, so start elsewhere.
 */
export const kl: Loss = comparing((logits, goal, cleanLogits) => {
  if (goal.kind === 'targeted') {
    throw new InputError(
      `The loss 'kl' compares with the clean prediction, so it cannot be used with a targeted goal; use 'ce'.`,
    );
  }
  if (!cleanLogits)
    throw new InputError(
      "The loss 'kl' needs the logits of the unperturbed images, got none. Give your loss, which calls it, the property needsCleanLogits: true.",
    );
  const logP = tf.logSoftmax(cleanLogits);
  return tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, tf.logSoftmax(logits))), 1);
});

/** The losses by name. */
export const losses = { ce: crossEntropy, cw: cwMargin, dlr, kl } as const satisfies Record<string, Loss>;

/** The names of the losses. */
export type LossName = keyof typeof losses;

/** The loss of a name, or the caller's own. */
export function lossOf(loss: LossName | Loss): Loss {
  if (typeof loss === 'function') return loss;
  if (!Object.hasOwn(losses, loss)) {
    throw new InputError(
      `loss: expected one of ${Object.keys(losses).join(', ')}, or a function of (logits, goal, cleanLogits), got ${describe(loss)}.${meant(String(loss), Object.keys(losses))}`,
    );
  }
  return losses[loss];
}
