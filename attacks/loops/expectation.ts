// Questions to a model, each answered by the mean of several calls: the expectation over transformation of Athalye et al.
// (2018, arXiv:1707.07397) for models that answer at random. With one call the answer is that call's own.
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Classifier, Cost, Goal, Loss } from '../types.ts';
import { type LossGradient, lossAndLogits, lossGradient } from './loss-gradient.ts';

/** How a model is asked. */
export interface Asking {
  readonly classifier: Classifier;
  /** Calls of the model whose mean each answer is. */
  readonly eot: number;
  /** Awaited before every call of the model: lets timers and Ctrl-C in, and throws if the attack is to stop. */
  readonly turn: () => Promise<void>;
  readonly spend: (cost: Cost) => void;
}

/** What a loss is asked about. */
export interface Question {
  readonly loss: Loss;
  readonly goals: Goal;
  /** [batch, height, width, channels] */
  readonly images: Tensor4D;
  readonly cleanLogits?: Tensor2D;
}

/** The loss of images, one value each, with their logits; both owned by the caller. */
export const expectedLoss = (
  asking: Asking,
  { loss, goals, images, cleanLogits }: Question,
): Promise<Omit<LossGradient, 'gradient'>> =>
  meanOf(asking, { forwardPasses: images.shape[0], inputGradients: 0 }, () =>
    lossAndLogits(asking.classifier, loss, goals, images, cleanLogits),
  );

/** The expected loss and its gradient. At a pixel where the gradient of one call is NaN, the other calls give the mean. */
export const expectedGradient = (
  asking: Asking,
  { loss, goals, images, cleanLogits }: Question,
): Promise<LossGradient> => {
  const [batch] = images.shape;
  return meanOf(
    asking,
    { forwardPasses: batch, inputGradients: batch },
    () => lossGradient(asking.classifier, loss, goals, images, cleanLogits),
    (a, b, name) => (name === 'gradient' ? addNumbers(a, b) : tf.add(a, b)),
  );
};

/** a + b, where NaN in one of them counts as 0. A sum is NaN only where both are, so that callers learn of it. */
const addNumbers = (a: Tensor, b: Tensor): Tensor =>
  tf.where(tf.notEqual(a, a), b, tf.where(tf.notEqual(b, b), a, tf.add(a, b)));

/** A record of tensors. */
type Tensors<Answer> = { readonly [Name in keyof Answer]: Tensor };

/**
 * The mean of what `ask` returns, tensor by tensor, over as many calls of it as the model is asked; owned by the caller.
 * Each answer is divided before it is added, since the sum of large numbers may be more than float32 holds.
 *
 * @param cost of one call
 * @param add adds two tensors of that name
 */
export async function meanOf<Answer extends Tensors<Answer>>(
  { eot, turn, spend }: Omit<Asking, 'classifier'>,
  cost: Cost,
  ask: () => Answer,
  add: (a: Tensor, b: Tensor, name: keyof Answer) => Tensor = (a, b) => tf.add(a, b),
): Promise<Answer> {
  let mean: Answer | undefined;
  try {
    for (let call = 0; call < eot; call++) {
      await turn();
      const answer = ask();
      spend(cost);
      if (eot === 1) return answer;
      const before = mean;
      mean = combined(answer, (tensor, name) => {
        const part = tf.div(tensor, eot);
        return before === undefined ? part : add(before[name], part, name);
      });
      dispose(answer);
      if (before !== undefined) dispose(before);
    }
    const whole = mean as Answer;
    mean = undefined;
    return whole;
  } finally {
    if (mean !== undefined) dispose(mean);
  }
}

const combined = <Answer extends Tensors<Answer>>(
  answer: Answer,
  combine: (tensor: Tensor, name: keyof Answer) => Tensor,
): Answer =>
  tf.tidy(() => {
    const names = Object.keys(answer) as (keyof Answer)[];
    return Object.fromEntries(names.map((name) => [name, combine(answer[name], name)])) as Answer;
  });

const dispose = <Answer extends Tensors<Answer>>(answer: Answer): void => tf.dispose(Object.values<Tensor>(answer));
