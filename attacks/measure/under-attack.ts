// One attack on a batch of images that a model classifies right.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import type { Key } from '../../src/core/key.ts';
import type { Cascade } from '../cascade.ts';
import { addCosts } from '../loops/costs.ts';
import { readGoal } from '../loops/goals.ts';
import { describe } from '../support/describe.ts';
import { turns } from '../support/yielding.ts';
import type { Attack, AttackedModel, Cost, Labels, PerturbOptions } from '../types.ts';
import { judge } from './success.ts';

/** What an attack made of images. */
export interface UnderAttack {
  /** [batch, height, width, channels]; owned by the caller. */
  readonly adversarial: Tensor4D;
  /** True if each is still classified right. */
  readonly survived: readonly boolean[];
  /** The check of the result included. */
  readonly cost: Cost;
  /** Images' gradients that were not finite, over all steps. */
  readonly nonFiniteGradients: number;
  /** Images that are classified wrong by so little that the rounding of another runtime may undo it. */
  readonly withinNoise: number;
  /** The images that are still right after each attack of a cascade, in order. Absent for other attacks. */
  readonly standing?: Readonly<Record<string, readonly boolean[]>>;
}

export interface UnderAttackOptions extends Pick<PerturbOptions, 'onProgress' | 'signal'> {
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
  labels: Labels,
  { key, samples, onProgress, signal }: UnderAttackOptions,
): Promise<UnderAttack> {
  let cost: Cost = { forwardPasses: samples.length, inputGradients: 0 };
  const onCost = (spent: Cost): void => {
    cost = addCosts(cost, spent);
  };
  const turn = turns(signal);
  const goal = await readGoal(labels, images.shape[0]);
  let nonFiniteGradients = 0;
  const onNonFinite = (gradients: number): void => {
    nonFiniteGradients += gradients;
  };
  const options = { key, samples, onCost, onNonFinite, onProgress, signal };
  const { adversarial, standing } = isCascade(attack)
    ? await attack.run(model, images, labels, options)
    : { adversarial: await attack.perturb(model, images, labels, options), standing: undefined };
  try {
    await checkResult(attack, adversarial, images);
    const { solved, withinNoise } = await judge(model, adversarial, goal, turn);
    return {
      adversarial,
      survived: solved.map((is) => !is),
      cost,
      nonFiniteGradients,
      withinNoise,
      ...(standing && { standing: stages(standing) }),
    };
  } catch (error) {
    tf.dispose(adversarial);
    throw error;
  }
}

/** Throws for what an attack of the caller's own must not return. */
async function checkResult({ name }: Attack, adversarial: Tensor4D, images: Tensor4D): Promise<void> {
  const broken = (got: string) =>
    new InputError(
      `${name}: expected adversarial images [${images.shape}] of finite pixels, got ${got}. Mend the attack.`,
    );
  if (!(adversarial instanceof tf.Tensor) || adversarial.shape.join() !== images.shape.join()) {
    throw broken(describe(adversarial));
  }
  const strange = (await adversarial.data()).find((pixel) => !Number.isFinite(pixel));
  if (strange !== undefined) throw broken(`a pixel that is ${strange}`);
}

/** The stages of a cascade without the first one, which tells the images that were wrong before any attack. */
const stages = ({ clean: _, ...attacks }: Readonly<Record<string, readonly boolean[]>>) => attacks;
