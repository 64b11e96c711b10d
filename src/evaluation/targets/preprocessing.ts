// How pixels in [0, 1] become the input of a model, and how its outputs become class scores.
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { classifier } from '../../../attacks/index.ts';
import type { AttackedModel, Classifier } from '../../../attacks/types.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';

/** How pixels in [0, 1] become what a model was trained on, and its outputs the labels of the data set. */
export interface Preprocessing {
  /** The lowest and the highest pixel that the model takes, such as 0, 255 or −1, 1; default 0, 1. */
  readonly bounds?: readonly [low: number, high: number];
  /** Subtracted after that: one number, or one a channel in the order of the model's channels, in the units of `bounds`. */
  readonly mean?: readonly number[];
  /** Divided by after that. */
  readonly std?: readonly number[];
  /** Order of the channels; default `rgb`. */
  readonly channels?: ChannelOrder;
  /** Order of the axes; default `nhwc`. */
  readonly layout?: Layout;
  /** The model's output for label k is k + offset; where it has more outputs than there are labels, the others are left out. */
  readonly labelOffset?: number;
  /** The model's output for each label, where they are in another order; its other outputs are left out. */
  readonly outputs?: readonly number[];
}

export const CHANNEL_ORDERS = ['rgb', 'bgr'] as const;
export type ChannelOrder = (typeof CHANNEL_ORDERS)[number];

export const LAYOUTS = ['nhwc', 'nchw'] as const;
export type Layout = (typeof LAYOUTS)[number];

/**
 * A model with its preprocessing: a function from pixels in [0, 1], [batch, height, width, channels], to the logits of the
 * data set's labels. Where a model returns probabilities, their logarithms are taken and `onProbabilities` is called once.
 *
 * @param classes of the data set; null if none is known: the outputs are then as many as the model's
 */
export function preprocessed(
  model: AttackedModel,
  { bounds, mean, std, channels = 'rgb', layout = 'nhwc', labelOffset, outputs }: Preprocessing,
  classes: number | null,
  onProbabilities: () => void = () => undefined,
): Classifier {
  const run = classifier(model, {
    ...(bounds ? { bounds } : {}),
    ...(mean ? { mean } : {}),
    ...(std ? { std } : {}),
    layout: layout === 'nchw' ? 'NCHW' : 'NHWC',
    warn: onProbabilities,
  });
  if (channels === 'rgb' && labelOffset === undefined && outputs === undefined) return run;
  return (images) =>
    tf.tidy(() => {
      const all = run(channels === 'bgr' ? (tf.reverse(images, 3) as Tensor4D) : images);
      return outputs === undefined ? shifted(all, labelOffset, classes) : chosen(all, outputs);
    });
}

/** These outputs, in this order. */
function chosen(all: Tensor2D, outputs: readonly number[]): Tensor2D {
  const count = all.shape[1];
  const beyond = outputs.find((output) => output >= count);
  if (beyond !== undefined) {
    throw new UsageError(`--classes names output ${beyond}; the model has ${count} outputs, 0 … ${count - 1}.`);
  }
  return tf.gather(all, tf.tensor1d([...outputs], 'int32'), 1);
}

/** Outputs so ordered that output k is that of label k: [batch, classes]. */
function shifted(outputs: Tensor2D, offset: number | undefined, classes: number | null): Tensor2D {
  const count = outputs.shape[1];
  const wanted = classes ?? count;
  if (offset === undefined) return outputs;
  if (count > wanted) {
    if (offset < 0 || offset + wanted > count) {
      throw new UsageError(
        `--label-offset must be from 0 to ${count - wanted}, since the model has ${count} outputs and the data set ${wanted} classes, got ${offset}.`,
      );
    }
    return tf.slice(outputs, [0, offset], [-1, wanted]);
  }
  const from = ((offset % count) + count) % count;
  return tf.concat([tf.slice(outputs, [0, from], [-1, count - from]), tf.slice(outputs, [0, 0], [-1, from])], 1);
}

/** True if nothing is done to pixels or outputs. */
export const isPlain = (preprocessing: Preprocessing): boolean => flagsOf(preprocessing) === '';

/** The flags of the command line that ask for a preprocessing; empty if it does nothing. */
export function flagsOf({ bounds, mean, std, channels, layout, labelOffset, outputs }: Preprocessing): string {
  const list = (values: readonly number[]) => values.map((value) => Number(value.toFixed(4))).join(',');
  return [
    ...(bounds && String(bounds) !== '0,1' ? [`--bounds=${list(bounds)}`] : []),
    ...(mean ? [`--mean=${list(mean)}`] : []),
    ...(std ? [`--std=${list(std)}`] : []),
    ...(channels === 'bgr' ? ['--channels=bgr'] : []),
    ...(layout === 'nchw' ? ['--layout=nchw'] : []),
    ...(labelOffset === undefined ? [] : [`--label-offset=${labelOffset}`]),
    ...(outputs === undefined ? [] : [`--classes=${outputs.join(',')}`]),
  ].join(' ');
}

/** @throws UsageError for what is no preprocessing */
export function checkPreprocessing({ bounds, mean, std, channels, layout, labelOffset, outputs }: Preprocessing): void {
  const areFinite = (values: readonly number[]): boolean => values.every(Number.isFinite);
  if (bounds !== undefined && !(bounds.length === 2 && bounds[0] < bounds[1] && areFinite(bounds))) {
    throw new UsageError(`--bounds takes the lowest and the highest pixel, such as 0,255 or -1,1, got ${bounds}.`);
  }
  if (mean !== undefined && !areFinite(mean)) throw new UsageError(`--mean takes numbers, got ${mean}.`);
  if (std !== undefined && !(areFinite(std) && std.every((value) => value > 0))) {
    throw new UsageError(`--std takes numbers above 0, got ${std}.`);
  }
  if (channels !== undefined && !CHANNEL_ORDERS.includes(channels)) {
    throw new UsageError(
      `--channels must be one of ${CHANNEL_ORDERS.join(', ')}, got ${channels}.${suggestion(didYouMean(String(channels), CHANNEL_ORDERS))}`,
    );
  }
  if (layout !== undefined && !LAYOUTS.includes(layout)) {
    throw new UsageError(
      `--layout must be one of ${LAYOUTS.join(', ')}, got ${layout}.${suggestion(didYouMean(String(layout), LAYOUTS))}`,
    );
  }
  if (labelOffset !== undefined && !Number.isInteger(labelOffset)) {
    throw new UsageError(`--label-offset must be a whole number, got ${labelOffset}.`);
  }
  if (outputs === undefined) return;
  if (labelOffset !== undefined)
    throw new UsageError('--classes and --label-offset both choose outputs. Give one of them.');
  if (!outputs.every((output) => Number.isInteger(output) && output >= 0)) {
    throw new UsageError(`--classes: expected outputs as whole numbers from 0, got ${outputs.join(', ')}.`);
  }
}
