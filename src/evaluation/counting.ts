import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../../attacks/types.ts';

/** What a model was asked for, counted in images. */
export interface Counts {
  forwardPasses: number;
  inputGradients: number;
}

export const noCounts = (): Counts => ({ forwardPasses: 0, inputGradients: 0 });

export const addCounts = (a: Counts, b: Counts): Counts => ({
  forwardPasses: a.forwardPasses + b.forwardPasses,
  inputGradients: a.inputGradients + b.inputGradients,
});

/** `model`, adding to `counts` whatever it is asked for: a forward pass recorded for a gradient counts as both. */
export const counting =
  (model: Classifier, counts: Counts): Classifier =>
  (images) => {
    counts.forwardPasses += images.shape[0];
    if (tf.engine().state.gradientDepth > 0) counts.inputGradients += images.shape[0];
    return model(images);
  };
