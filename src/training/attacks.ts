import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { fgsm } from '../../attacks/fgsm.ts';
import { pgd } from '../../attacks/pgd.ts';
import type { Attack, Classifier } from '../../attacks/types.ts';
import { foldIn, type Key, normal } from '../core/key.ts';
import { disposeTensors } from '../core/params.ts';
import { sizeOf } from '../core/structure.ts';
import { flops as flopsOf } from '../models/inspect.ts';
import type { Weights } from '../models/types.ts';
import type { InnerAttack, Objective } from '../objectives/types.ts';
import { type AttackStrength, warmedUp } from '../objectives/warm-up.ts';
import { type Program, runNetwork } from '../ops/network.ts';
import { defaultStepSize, type TrainConfig } from './config.ts';
import { attackCosts, type Costs } from './costs.ts';

const LOSSES = { crossEntropy: 'cross-entropy', kl: 'kl' } as const satisfies Record<InnerAttack['loss'], string>;

/** The attack's ε and step size in an epoch, from 0: both rise linearly over the epochs of the warm-up. */
const strengthOf = (config: TrainConfig, epoch: number): AttackStrength => {
  const { epsilon, steps = 1, stepSize = defaultStepSize(epsilon, steps), attackWarmup = 0, epochs } = config;
  const length = attackWarmup / epochs;
  const full = { epsilon, stepSize };
  return epoch + 1 >= attackWarmup ? full : warmedUp(full, { epsilon: length, stepSize: length }, (epoch + 1) / epochs);
};

/** The attack inside the objective in an epoch, from 0; null for one that attacks nothing. */
export function trainingAttack(config: TrainConfig, { inner }: Objective, epoch: number): Attack | null {
  const { norm, steps } = config;
  return inner && pgd({ norm, steps, ...strengthOf(config, epoch), loss: LOSSES[inner.loss] });
}

/** The attack of a matched pre-pass, by its number of steps: 0 none, 1 FGSM, that of training the very same. */
export function prepassAttack(config: TrainConfig, objective: Objective, epoch: number): Attack | null {
  const { norm, agentAttackSteps: steps = 0 } = config;
  if (objective.inner === null || steps === 0) return null;
  if (steps === config.steps) return trainingAttack(config, objective, epoch);
  const { epsilon } = strengthOf(config, epoch);
  const loss = LOSSES[objective.inner.loss];
  return steps === 1 ? fgsm({ norm, epsilon, loss }) : pgd({ norm, epsilon, steps, loss });
}

/** Steps of the attack that measures robust accuracy during training. */
export const VALIDATION_STEPS = 10;

/** PGD-10 with steps of 2.5 · epsilon / 10, whatever the training attack. */
export const validationAttack = ({ norm, epsilon }: TrainConfig): Attack =>
  pgd({ norm, epsilon, steps: VALIDATION_STEPS, stepSize: defaultStepSize(epsilon, VALIDATION_STEPS) });

/** The network as an attack sees it: with running statistics, or with those of the batch, and none of them moved. */
export function attackedModel(program: Program, { params, state }: Weights, mode: TrainConfig['attackBn']): Classifier {
  return (images) => {
    const result = runNetwork(program, params, state, images, { training: mode === 'train' });
    if (result.state !== state) disposeTensors(result.state);
    return result.logits;
  };
}

/** What an attack on a training batch needs. */
export interface AttackedBatch {
  /** [batch, height, width, channels] */
  readonly images: Tensor4D;
  /** int32 [batch] */
  readonly labels: Tensor1D;
  /** The images' numbers in their data set. */
  readonly samples: readonly number[];
}

/**
 * The adversarial examples of a batch for an objective, and what they took; owned by the caller. Images that the
 * objective reads no example of stay as they are.
 *
 * @param key the epoch's
 */
export async function attackBatch(
  attack: Attack,
  objective: Objective,
  program: Program,
  weights: Weights,
  { images, labels, samples }: AttackedBatch,
  { key, mode }: { readonly key: Key; readonly mode: TrainConfig['attackBn'] },
): Promise<{ adversarial: Tensor4D; costs: Costs }> {
  const { startNoise, share } = objective.inner ?? { startNoise: null, share: 1 };
  const count = Math.floor(share * samples.length);
  const [attacked, rest] = tf.split(images, [count, samples.length - count]) as [Tensor4D, Tensor4D];
  const goal = tf.slice(labels, 0, count);
  const start = startNoise === null ? undefined : noisy(attacked, samples, startNoise, key);
  let spent = { forwardPasses: 0, inputGradients: 0 };
  try {
    const perturbed = await attack.perturb(attackedModel(program, weights, mode), attacked, goal, {
      key,
      samples: samples.slice(0, count),
      start,
      mode: 'train',
      onCost: ({ forwardPasses, inputGradients }) => {
        spent = {
          forwardPasses: spent.forwardPasses + forwardPasses,
          inputGradients: spent.inputGradients + inputGradients,
        };
      },
    });
    const adversarial = count === samples.length ? perturbed : (tf.concat([perturbed, rest]) as Tensor4D);
    if (adversarial !== perturbed) perturbed.dispose();
    return { adversarial, costs: attackCosts(spent, flopsOf(program, weights.params)) };
  } finally {
    tf.dispose([attacked, rest, goal, start ?? []]);
  }
}

/** images + scale · N(0, 1), each image with a stream of its own. */
function noisy(images: Tensor4D, samples: readonly number[], scale: number, key: Key): Tensor4D {
  const [count, ...imageShape] = images.shape;
  const size = sizeOf(imageShape);
  const noise = new Float32Array(images.size);
  for (const [i, sample] of samples.slice(0, count).entries()) {
    noise.set(normal(foldIn(foldIn(key, 'start-noise'), sample), size), i * size);
  }
  return tf.tidy(() => tf.add(images, tf.mul(tf.tensor4d(noise, images.shape), scale)));
}
