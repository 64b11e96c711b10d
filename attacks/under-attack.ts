import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Key } from '../src/core/key.ts';
import type { Cascade } from './cascade.ts';
import { success } from './success.ts';
import type { Attack, AttackedModel, Cost } from './types.ts';

/** What an attack made of images. */
export interface UnderAttack {
  /** [batch, height, width, channels]; owned by the caller. */
  readonly adversarial: Tensor4D;
  /** Whether each is still classified right. */
  readonly survived: readonly boolean[];
  /** The check of the result included. */
  readonly cost: Cost;
  /** Of a cascade: for each of its attacks, in order, whether each image stands after it and all before. */
  readonly standing?: Readonly<Record<string, readonly boolean[]>>;
}

export interface UnderAttackOptions {
  readonly key: Key;
  /** The images' numbers in their data set. */
  readonly samples: readonly number[];
}

const isCascade = (attack: Attack): attack is Cascade => 'run' in attack;

/**
 * One attack on images that a model classifies right; whether it succeeds is what the model predicts for the images that it
 * returns.
 *
 * @param labels class numbers [batch]; borrowed
 */
export async function underAttack(
  model: AttackedModel,
  attack: Attack,
  images: Tensor4D,
  labels: Tensor1D,
  { key, samples }: UnderAttackOptions,
): Promise<UnderAttack> {
  let cost: Cost = { forwardPasses: samples.length, inputGradients: 0 };
  const onCost = (spent: Cost): void => {
    cost = addCosts(cost, spent);
  };
  const options = { key, samples, onCost };
  const { adversarial, standing } = isCascade(attack)
    ? await attack.run(model, images, labels, options)
    : { adversarial: await attack.perturb(model, images, labels, options), standing: undefined };
  try {
    const fooled = await success(model, adversarial, labels);
    return { adversarial, survived: fooled.map((is) => !is), cost, ...(standing && { standing: stages(standing) }) };
  } catch (error) {
    adversarial.dispose();
    throw error;
  }
}

/** Without the images that were wrong before any attack. */
const stages = ({ clean: _, ...attacks }: Readonly<Record<string, readonly boolean[]>>) => attacks;

export const addCosts = (a: Cost, b: Cost): Cost => ({
  forwardPasses: a.forwardPasses + b.forwardPasses,
  inputGradients: a.inputGradients + b.inputGradients,
});
