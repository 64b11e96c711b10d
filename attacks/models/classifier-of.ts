// Reads any model as a function from images to logits.
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import { checkImages } from '../support/images.ts';
import type { AppliedModel, AttackedModel, Classifier, Portions } from '../types.ts';
import { withoutFinalActivation } from './final-activation.ts';
import { withUnfusedConvolutions } from './unfused-convolutions.ts';
import { withWholeBatchNorms } from './whole-batch-norms.ts';

/**
 * A model as a function from images to logits; anything with `apply` is called as `apply(images, { training: false })`,
 * so that it changes neither mode nor statistics, and a softmax or sigmoid that ends a LayersModel is taken off. The function throws
 * unless [batch, classes] come back.
 */
export function classifierOf(model: AttackedModel): Classifier {
  const run = runOf(model);
  const { portions } = model as { readonly portions?: Portions };
  const classify = (images: Tensor4D): Tensor2D => {
    checkImages(images);
    const output = run(images);
    const [logits, ...others] = Array.isArray(output) ? (output as unknown[]) : [output];
    if (
      others.length > 0 ||
      !(logits instanceof tf.Tensor) ||
      logits.rank !== 2 ||
      logits.shape[0] !== images.shape[0]
    ) {
      throw new InputError(
        `A model must return one tensor of logits [${images.shape[0]}, classes], got ${describe(output)}. Wrap it in a ` +
          'function (images) => logits.',
      );
    }
    if (logits.shape[1] < 2) {
      throw new InputError(
        'A model has at least 2 classes; its output has 1. For a yes-or-no model return the logits [0, z] of its logit z: ' +
          'tf.concat([tf.zerosLike(z), z], 1).',
      );
    }
    // Losses and their gradients are of floats; some models return whole numbers.
    return (logits.dtype === 'float32' ? logits : tf.cast(logits, 'float32')) as Tensor2D;
  };
  return Object.assign(classify, { portions });
}

function runOf(model: AttackedModel): (images: Tensor4D) => unknown {
  if (typeof model === 'function') return model as Classifier;
  if (typeof (model as AppliedModel | undefined)?.apply === 'function') {
    const logits = differentiably(withoutFinalActivation(model)?.model ?? model, model);
    return (images) => logits.apply(images, { training: false });
  }
  throw new InputError(
    'A model is a function (images) => logits, or has a method apply(images, { training }) as a LayersModel does.',
  );
}

/** A LayersModel run so that gradients with respect to its images exist and cost no more than they have to. */
export const differentiably = (applied: AppliedModel, of: AppliedModel): AppliedModel =>
  withUnfusedConvolutions(withWholeBatchNorms(applied, of), of);

function describe(output: unknown): string {
  if (Array.isArray(output)) return `a list of ${output.length}`;
  return output instanceof tf.Tensor ? `a tensor [${output.shape}]` : String(output);
}
