// The loss of an attack and its gradient with respect to the images.
import type { Tensor, Tensor1D, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import { registerGradients } from '../../src/ops/gradients.ts';
import { inputGradient } from '../../src/ops/input-gradient.ts';
import { classifierOf } from '../models/classifier-of.ts';
import { portionOf } from '../models/portions.ts';
import type { AttackedModel, Classifier, Goal, Loss } from '../types.ts';
import { mapGoal } from './goals.ts';

/** Thrown where a loss has no gradient with respect to the images, so that only attacks without gradients can be run. */
export class NoGradientError extends InputError {}

/** What a model says of images, and how the loss changes with their pixels. */
export interface LossGradient {
  /** ∂ Σ loss / ∂ pixels, [batch, height, width, channels]: each image's own gradient, whatever the batch. */
  readonly gradient: Tensor4D;
  /** [batch] */
  readonly loss: Tensor1D;
  /** [batch, classes] */
  readonly logits: Tensor2D;
}

/** The loss of images, one value each, with their logits; both owned by the caller. */
export const lossAndLogits = (
  model: AttackedModel,
  loss: Loss,
  goal: Goal,
  images: Tensor4D,
  cleanLogits?: Tensor2D,
): Omit<LossGradient, 'gradient'> =>
  tf.tidy(() => {
    const logits = classifierOf(model)(images);
    return { logits: tf.clone(logits), loss: lossValues(loss, logits, goal, cleanLogits) };
  });

function lossValues(loss: Loss, logits: Tensor2D, goal: Goal, cleanLogits?: Tensor2D): Tensor1D {
  const values = loss(logits, goal, cleanLogits);
  if (!(values instanceof tf.Tensor) || values.rank !== 1 || values.shape[0] !== logits.shape[0]) {
    const got = values instanceof tf.Tensor ? `[${(values as Tensor1D).shape}]` : String(values);
    throw new InputError(
      `A loss must return one value per sample, a tensor of shape [${logits.shape[0]}], got ${got}.`,
    );
  }
  return values;
}

/**
 * The gradient of the *sum* of the samples' losses with respect to the images, so that no sample's depends on the others.
 *
 * @param goal int32 labels or targets [batch]; borrowed
 * @param images [batch, height, width, channels]; borrowed
 * @param cleanLogits [batch, classes], for losses that compare with them; borrowed
 * @returns gradient, losses and logits, owned by the caller
 */
export function lossGradient(
  model: AttackedModel,
  loss: Loss,
  goal: Goal,
  images: Tensor4D,
  cleanLogits?: Tensor2D,
): LossGradient {
  const classifier = classifierOf(model);
  const { portions } = classifier;
  if (portions === undefined) return gradientOfAll(classifier, loss, goal, images, cleanLogits);
  return tf.tidy(() => {
    const [gradient, losses, logits] = portions.ask('gradient', images.shape[0], (begin, size) =>
      tf.tidy(() => {
        const part = <T extends Tensor>(tensor: T): T => portionOf(tensor, begin, size);
        const cleanPart = cleanLogits && part(cleanLogits);
        const found = gradientOfAll(classifier, loss, mapGoal(goal, part), part(images), cleanPart);
        return [found.gradient, found.loss, found.logits];
      }),
    );
    return { gradient: gradient as Tensor4D, loss: losses as Tensor1D, logits: logits as Tensor2D };
  });
}

function gradientOfAll(
  classifier: Classifier,
  loss: Loss,
  goal: Goal,
  images: Tensor4D,
  cleanLogits?: Tensor2D,
): LossGradient {
  let kept: { logits: Tensor2D; loss: Tensor1D } | undefined;
  try {
    return tf.tidy(() => {
      const total = (x: Tensor4D) => {
        const logits = classifier(x);
        const values = lossValues(loss, logits, goal, cleanLogits);
        // The tape frees what it does not return.
        kept = { logits: tf.keep(tf.clone(logits)), loss: tf.keep(tf.clone(values)) };
        return tf.sum(values);
      };
      const gradient = differentiate(total, images);
      const { logits, loss: losses } = kept as NonNullable<typeof kept>;
      return { gradient, logits: tf.clone(logits), loss: tf.clone(losses) };
    });
  } finally {
    kept?.logits.dispose();
    kept?.loss.dispose();
  }
}

function differentiate(total: (images: Tensor4D) => Tensor, images: Tensor4D): Tensor4D {
  registerGradients();
  let isForwardDone = false;
  try {
    return inputGradient((x: Tensor) => {
      const sum = total(x as Tensor4D);
      isForwardDone = true;
      return sum;
    }, images) as Tensor4D;
  } catch (error) {
    const reason = isForwardDone && error instanceof Error ? missingGradient(error.message) : null;
    if (reason === null) throw error;
    throw new NoGradientError(
      `The loss has no gradient with respect to the images${reason && `: ${reason}`}. Expected a model that reaches its ` +
        'logits by differentiable TensorFlow.js ops, without reading values in between. Write the model with other ops, ' +
        'or give the op a gradient with tf.customGrad. Square attacks a model without gradients.',
      { cause: error },
    );
  }
}

/** What TensorFlow.js says if it cannot differentiate a forward pass, and what that means, with the name of the op. */
const REASONS: readonly (readonly [message: RegExp, reason: (name: string) => string])[] = [
  [/^Cannot compute gradient of y=f\(x\)/, () => ''],
  [/^Cannot compute gradient: gradient function not found for (\w*)/, (op) => `the op ${op} has no gradient`],
  [/^Cannot backprop through input (\w+)/, (input) => `an op has no gradient with respect to its input ${input}`],
  [/^(Error in gradient (?:for|of) .*)/, (message) => message.replace(/\.$/, '')],
  [
    /^Kernel '(\w+)' not registered/,
    (kernel) => `the backend ${tf.getBackend()} has no kernel ${kernel}, which it needs`,
  ],
];

/** Why a gradient is missing: empty if nothing is known, null if the message is of another kind. */
function missingGradient(message: string): string | null {
  for (const [pattern, reason] of REASONS) {
    const found = pattern.exec(message);
    if (found) return reason(found[1]);
  }
  return null;
}
