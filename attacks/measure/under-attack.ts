// One attack on a batch of images, and the model's prediction of what it returns.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import type { Key } from '../../src/core/key.ts';
import { addCosts, NO_COST } from '../loops/costs.ts';
import { readGoal } from '../loops/goals.ts';
import { describe } from '../support/describe.ts';
import { turns } from '../support/yielding.ts';
import type { Attack, AttackedModel, Cascade, Cost, GivenGoal, PerturbOptions } from '../types.ts';
import { judge } from './success.ts';

/** What an attack made of images. */
export interface UnderAttack {
  /** [batch, height, width, channels]; owned by the caller. */
  readonly adversarial: Tensor4D;
  /** True if an image does not meet the goal; for labels, if it is still classified right. */
  readonly survived: readonly boolean[];
  /** The check of the result included. */
  readonly cost: Cost;
  /** Images' gradients that were not finite, over all steps. */
  readonly nonFiniteGradients: number;
  /** Images that are classified wrong by so little that the rounding of another runtime may undo it. */
  readonly withinNoise: number;
  /** Images of which the model returns NaN, which count as classified wrong. */
  readonly notNumbers: number;
  /** The images that are still right after each attack of a cascade, in order. Absent for other attacks. */
  readonly standing?: Readonly<Record<string, readonly boolean[]>>;
}

export interface UnderAttackOptions
  extends Pick<PerturbOptions, 'start' | 'mode' | 'onCost' | 'onNonFinite' | 'onProgress' | 'signal'> {
  readonly key: Key;
  /** The images' numbers in their data set. */
  readonly samples: readonly number[];
}

const isCascade = (attack: Attack): attack is Cascade => 'run' in attack;

/**
 * Runs one attack on images. Whether it succeeds is what the model predicts for the very images that it returns.
 *
 * @param images [batch, height, width, channels], those that do not meet the goal yet; borrowed
 * @param wanted the goal; bare labels mean untargeted; borrowed
 */
export async function underAttack(
  model: AttackedModel,
  attack: Attack,
  images: Tensor4D,
  wanted: GivenGoal,
  { onCost, onNonFinite, ...given }: UnderAttackOptions,
): Promise<UnderAttack> {
  let cost = NO_COST;
  const spend = (spent: Cost): void => {
    cost = addCosts(cost, spent);
    onCost?.(spent);
  };
  let nonFiniteGradients = 0;
  const options = {
    ...given,
    onCost: spend,
    onNonFinite: (gradients: number): void => {
      nonFiniteGradients += gradients;
      onNonFinite?.(gradients);
    },
  };
  const turn = turns(given.signal);
  const batch = images.shape[0];
  const goal = await readGoal(wanted, batch);
  const { adversarial, standing } = isCascade(attack)
    ? await attack.run(model, images, wanted, options)
    : { adversarial: await attack.perturb(model, images, wanted, options), standing: undefined };
  try {
    await checkResult(attack, adversarial, images);
    const { solved, withinNoise, notNumbers } = await judge(model, adversarial, goal, turn);
    spend({ forwardPasses: batch, inputGradients: 0 });
    return {
      adversarial,
      survived: solved.map((is) => !is),
      cost,
      nonFiniteGradients,
      withinNoise,
      notNumbers,
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
      `${name}: expected adversarial images [${images.shape}] of finite pixels, got ${got}. Correct the attack.`,
    );
  if (!(adversarial instanceof tf.Tensor) || adversarial.shape.join() !== images.shape.join()) {
    throw broken(describe(adversarial));
  }
  const strange = (await adversarial.data()).find((pixel) => !Number.isFinite(pixel));
  if (strange !== undefined) throw broken(`a pixel that is ${strange}`);
}

/** The stages of a cascade without the first one, which tells the images that were wrong before any attack. */
const stages = ({ clean: _, ...attacks }: Readonly<Record<string, readonly boolean[]>>) => attacks;
