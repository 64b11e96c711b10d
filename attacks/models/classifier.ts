// Wraps a model as a classifier once, for use by several attacks.
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import { listener, oneOf, perChannel, pixelBounds } from '../support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions, type ValuesOf } from '../support/options.ts';
import type { AttackedModel, Classifier } from '../types.ts';
import { classifierOf } from './classifier-of.ts';
import { withoutFinalActivation } from './final-activation.ts';

const CLASSIFIER_OPTIONS = {
  /** The lowest and the highest pixel that the model takes, such as [0, 255] or [-1, 1]; default [0, 1]. */
  bounds: pixelBounds,
  /** Subtracted after that, for all channels or one a channel, in the units of `bounds`; default 0. */
  mean: perChannel(0, 'numbers', Number.isFinite),
  /** Divided by after that; above 0, default 1. */
  std: perChannel(1, 'numbers above 0', (value) => Number.isFinite(value) && value > 0),
  /** How the model takes its images; default `NHWC`. */
  layout: oneOf(['NHWC', 'NCHW'], 'NHWC'),
  /**
   * What the model returns. `auto` (default) takes a final softmax or sigmoid off a LayersModel, and where the first outputs are
   * probabilities all the same, warns and takes their logarithms.
   */
  output: oneOf(['auto', 'logits', 'probabilities'], 'auto'),
  /** Called once if the model returns probabilities; default `console.warn`. */
  warn: listener((message: string): void => console.warn(message)),
} as const satisfies OptionTable;

/** Options of `classifier`. */
export type ClassifierOptions = OptionsOf<typeof CLASSIFIER_OPTIONS>;

/**
 * The model as attacks need it: a function from pixels in [0, 1], NHWC, to logits. It owns the preprocessing,
 *
 *     input = (low + (high − low) · pixels − mean) / std
 *
 * so that epsilon stays in units of pixels whatever the model was trained on.
 *
 * @param model takes what `bounds`, `mean`, `std` and `layout` describe; never changed
 *
 * Throws InputError for options that do not fit, at the first call for those that do not fit the images.
 */
export function classifier(model: AttackedModel, options: ClassifierOptions = {}): Classifier {
  const values = readOptions('classifier', options, CLASSIFIER_OPTIONS);
  const { layout, output, warn } = values;
  const preprocess = preprocessing(values);
  const run = classifierOf(
    output === 'auto' || typeof model === 'function' ? model : { apply: model.apply.bind(model) },
  );
  const final = output === 'auto' && typeof model !== 'function' ? withoutFinalActivation(model) : undefined;
  if (final?.kept) warn(`The ${final.activation} that ends the model was kept: ${final.kept}. Return logits.`);
  let kind: 'logits' | 'probabilities' | 'unknown' = output === 'auto' ? 'unknown' : output;
  if (final?.kept && final.activation === 'softmax') kind = 'probabilities';
  return (images) =>
    tf.tidy(() => {
      const prepared = preprocess(images);
      const outputs = run(layout === 'NCHW' ? tf.transpose(prepared, [0, 3, 1, 2]) : prepared);
      if (kind === 'unknown') {
        kind = lookLikeProbabilities(outputs) ? 'probabilities' : 'logits';
        if (kind === 'probabilities') {
          warn(
            'The model returns probabilities, and no final softmax could be removed. Attacks use their logarithms, ' +
              'which lose what the softmax rounded to 0 or 1, so robust accuracy may be too high. Return logits.',
          );
        }
      }
      // So small a number changes no probability but 0.
      return kind === 'probabilities' ? (tf.log(tf.add(outputs, 1e-30)) as Tensor2D) : outputs;
    });
}

function preprocessing({ bounds, mean, std }: ValuesOf<typeof CLASSIFIER_OPTIONS>): (images: Tensor4D) => Tensor4D {
  const [low, high] = bounds;
  const means = [mean].flat();
  const stds = [std].flat();
  if (low === 0 && high === 1 && means.every((value) => value === 0) && stds.every((value) => value === 1)) {
    return (images) => images;
  }
  // (low + (high − low) · x − mean) / std = x · scale + shift, computed in float64.
  const channels = Math.max(means.length, stds.length);
  const at = (values: readonly number[], channel: number) => values[values.length === 1 ? 0 : channel];
  const scale = Array.from({ length: channels }, (_, i) => (high - low) / at(stds, i));
  const shift = Array.from({ length: channels }, (_, i) => (low - at(means, i)) / at(stds, i));
  return (images) => {
    for (const [name, { length }] of Object.entries({ mean: means, std: stds })) {
      if (length !== 1 && length !== images.shape[3]) {
        throw new InputError(
          `${name}: expected one number, or one for each of ${images.shape[3]} channels, got ${length}.`,
        );
      }
    }
    return tf.add(tf.mul(images, tf.tensor1d(scale)), tf.tensor1d(shift));
  };
}

/** True if every row is 0 or more and sums to 1, which a row that is not a number does not. */
function lookLikeProbabilities(outputs: Tensor2D): boolean {
  const [rows, classes] = outputs.shape;
  const values = outputs.dataSync<'float32'>();
  return Array.from({ length: rows }, (_, row) => values.subarray(row * classes, (row + 1) * classes)).every(
    (row) => row.every((value) => value >= 0) && Math.abs(row.reduce((sum, value) => sum + value, 0) - 1) < 1e-3,
  );
}
