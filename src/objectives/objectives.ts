// The table of training objectives.
import type { Scalar, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { crossEntropy, klDivergence, oneHot } from './losses.ts';
import type { InnerAttack, Objective } from './types.ts';

/** Options of the objectives; each uses those that apply to it. */
export interface ObjectiveOptions {
  /** s in [0, 1): the targets are (1 − s) · one-hot + s / classes, in the cross-entropies only. */
  readonly labelSmoothing?: number;
  /** The weight of the robust term of `trades`, `rst` and `mart`, at least 0. */
  readonly beta?: number;
  /** `rst`: the share of each batch that is extra images, in (0, 1). */
  readonly extraShare?: number;
}

/** Madry et al. (2018): the cross-entropy of the whole batch rises, from the attack's own start. */
const CROSS_ENTROPY_ATTACK: InnerAttack = { loss: 'ce', startNoise: null, share: 1 };

/** The start of the inner attack in the code of TRADES and MART. */
const START_NOISE = 0.001;

/** What an objective does: its loss, the attack that it needs, and the parts that most objectives lack. */
type Behaviour = Pick<Objective, 'inner' | 'loss'> & Partial<Pick<Objective, 'beta' | 'extraShare'>>;

/** An objective from its name and from what it does under options, which are checked first. */
const defineObjective =
  (name: string, behaviour: (options: ObjectiveOptions) => Behaviour) =>
  (options: ObjectiveOptions = {}): Objective => {
    checkOptions(options);
    const { inner, loss, beta = null, extraShare = 0 } = behaviour(options);
    return { name, adversarial: inner !== null, inner, beta, extraShare, loss };
  };

/** Cross-entropy of the clean images. */
export const natural = defineObjective('natural', ({ labelSmoothing }) => ({
  inner: null,
  loss: (forward, { images, labels }) => tf.tidy(() => crossEntropy(forward(images), labels, labelSmoothing)),
}));

/** Adversarial training: cross-entropy of the adversarial images (Madry et al. 2018, https://arxiv.org/abs/1706.06083). */
export const at = defineObjective('at', ({ labelSmoothing }) => ({
  inner: CROSS_ENTROPY_ATTACK,
  loss: (forward, { adversarial, labels }) => tf.tidy(() => crossEntropy(forward(adversarial), labels, labelSmoothing)),
}));

/**
 * Mixed-batch adversarial training: the first ⌊batch / 2⌋ images are adversarial, the others clean, in one forward pass
 * (as IGITUGraz/SparseAdversarialTraining).
 */
export const mat = defineObjective('mat', ({ labelSmoothing }) => ({
  inner: { ...CROSS_ENTROPY_ATTACK, share: 0.5 },
  loss: (forward, { images, adversarial, labels }) =>
    tf.tidy(() => {
      const half = Math.floor(images.shape[0] / 2);
      const firstHalf = tf.slice(adversarial, 0, half);
      const mixed = tf.concat([firstHalf, tf.slice(images, half)]) as Tensor4D;
      return crossEntropy(forward(mixed), labels, labelSmoothing);
    }),
}));

/**
 * TRADES: CE(clean, y) + β · mean KL(p_clean ‖ p_adversarial); gradients flow through both predictions
 * (Zhang et al. 2019, https://arxiv.org/abs/1901.08573; as its code).
 */
export const trades = defineObjective('trades', ({ labelSmoothing, beta = 6 }) => ({
  inner: { loss: 'kl', startNoise: START_NOISE, share: 1 },
  beta,
  loss: (forward, { images, adversarial, labels }) =>
    tf.tidy(() => {
      const clean = forward(images);
      const perturbed = forward(adversarial);
      const divergence = tf.mean(klDivergence(tf.logSoftmax(clean), tf.logSoftmax(perturbed)));
      return tf.add(crossEntropy(clean, labels, labelSmoothing), tf.mul(divergence, beta)) as Scalar;
    }),
}));

/**
 * Robust self-training: TRADES on batches of which a share is extra images, labelled by a model that was trained before
 * (Carmon et al. 2019, https://arxiv.org/abs/1905.13736; half of each batch and β = 6, as IGITUGraz/SparseAdversarialTraining).
 */
export const rst = defineObjective('rst', ({ extraShare = 0.5, ...options }) => ({ ...trades(options), extraShare }));

/**
 * MART: BCE(adversarial, y) + β · mean KL(p_clean ‖ p_adversarial) · (1 − p_clean[y]), with
 * BCE = CE(adversarial, y) − mean log(1 − max_{k ≠ y} p_adversarial[k]); gradients flow through every prediction
 * (Wang et al. 2020, https://openreview.net/forum?id=rklOg6EFwS; as its code, constants included).
 */
export const mart = defineObjective('mart', ({ labelSmoothing, beta = 5 }) => ({
  inner: { loss: 'ce', startNoise: START_NOISE, share: 1 },
  beta,
  loss: (forward, { images, adversarial, labels }) =>
    tf.tidy(() => {
      const logClean = tf.logSoftmax(forward(images)) as Tensor2D;
      const perturbed = forward(adversarial);
      const probabilities = tf.softmax(perturbed);
      const truth = oneHot(labels, perturbed);
      const runnerUp = tf.oneHot(
        tf.argMax(tf.sub(probabilities, tf.mul(truth, 2)), -1),
        perturbed.shape[1],
        1,
        0,
        'float32',
      );
      const probabilityOf = (classes: tf.Tensor, p: tf.Tensor) => tf.sum(tf.mul(classes, p), -1);
      const margin = tf.log(tf.add(tf.sub(1.0001, probabilityOf(runnerUp, probabilities)), 1e-12));
      const boosted = tf.sub(crossEntropy(perturbed, labels, labelSmoothing), tf.mean(margin));
      const divergence = klDivergence(logClean, tf.log(tf.add(probabilities, 1e-12)) as Tensor2D);
      const doubt = tf.sub(1.0000001, probabilityOf(truth, tf.exp(logClean)));
      return tf.add(boosted, tf.mul(tf.mean(tf.mul(divergence, doubt)), beta)) as Scalar;
    }),
}));

function checkOptions({ labelSmoothing = 0, beta = 0, extraShare = 0.5 }: ObjectiveOptions): void {
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new InputError(`labelSmoothing must be in [0, 1), such as 0.1, got ${labelSmoothing}.`);
  }
  if (!(beta >= 0)) throw new InputError(`beta must be 0 or larger, usually 6, got ${beta}.`);
  if (!(extraShare > 0 && extraShare < 1)) {
    throw new InputError(`extraShare must be above 0 and below 1, usually 0.5, got ${extraShare}.`);
  }
}

const objectiveRows = {
  natural,
  at,
  mat,
  trades,
  mart,
  rst,
} satisfies Readonly<Record<string, (options?: ObjectiveOptions) => Objective>>;

/** The names of the objectives. */
export type ObjectiveName = keyof typeof objectiveRows;

/** All objectives by name. */
export const objectives: { readonly [Name in ObjectiveName]: (options?: ObjectiveOptions) => Objective } =
  objectiveRows;
