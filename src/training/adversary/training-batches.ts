// Attacks whole training batches, and chooses the attacks of training, pre-pass and validation.
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { fgsm } from '../../../attacks/fgsm.ts';
import { cwMargin } from '../../../attacks/losses.ts';
import { pgd } from '../../../attacks/pgd.ts';
import type { Attack, Classifier, NormName } from '../../../attacks/types.ts';
import { type Key, normal } from '../../core/key.ts';
import { disposeTensors } from '../../core/params.ts';
import { flops as flopsOf } from '../../models/inspect.ts';
import type { Weights } from '../../models/types.ts';
import type { InnerAttack, Objective } from '../../objectives/types.ts';
import { type Program, runNetwork } from '../../ops/network.ts';
import { configuredSteps } from '../config/conditions.ts';
import type { TrainConfig } from '../config/config.ts';
import { attackCosts, type Costs } from '../run/costs.ts';
import { withNoise } from './noise.ts';
import { type AttackPlan, attackPlan, type Standing } from './plan.ts';
import { combinations } from './several-norms/several-norms.ts';
import { worstOf } from './several-norms/worst-of.ts';
import { trainingAttacks } from './training-attacks.ts';
import type { TrainingAttack } from './types.ts';

/** The attack of the epoch that comes next; null if it trains on images as they are. */
export function trainingAttack(config: TrainConfig, { inner }: Objective, standing: Standing): TrainingAttack | null {
  const plan = attackPlan(config, standing);
  return inner && plan && buildAttack(config, plan, inner);
}

/** The radius of each norm that training is against, where these are several. */
export const radiiOf = ({ norms = {} }: Pick<TrainConfig, 'norms'>): readonly (readonly [NormName, number])[] =>
  Object.entries(norms) as [NormName, number][];

/**
 * The attack of a plan. Where training is against several norms, each has the steps of the plan, of the usual size at its
 * radius, and a warm-up that is as far as that of the plan.
 */
function buildAttack(config: TrainConfig, { name, ...plan }: AttackPlan, inner: InnerAttack): TrainingAttack {
  const { norm, combineNorms } = config;
  const { build, stepSize } = trainingAttacks[name];
  if (combineNorms === undefined) return build({ norm, ...plan, inner });
  const strength = plan.epsilon / config.epsilon;
  const members = radiiOf(config).map(([each, radius]) => ({
    norm: each,
    epsilon: radius * strength,
    steps: plan.steps,
    stepSize: stepSize(radius, plan.steps) * strength,
    inner,
  }));
  return combinations[combineNorms].build(members.map((member) => ({ ...member, attack: build(member) })));
}

/**
 * The attack of a pre-pass that sees the epoch's own batches: that of training itself where the settings give both as many
 * steps, or the pre-pass no number of its own. Of another number it is none (0), FGSM (1) or PGD; against several norms PGD in
 * each, combined as in training.
 */
export function prepassAttack(config: TrainConfig, objective: Objective, standing: Standing): TrainingAttack | null {
  const { norm, agentAttackSteps: steps } = config;
  const { inner } = objective;
  const plan = attackPlan(config, standing);
  if (inner === null || plan === null || steps === 0) return null;
  if (steps === undefined || steps === configuredSteps(config)) return trainingAttack(config, objective, standing);
  const { epsilon } = plan;
  const loss = inner.loss;
  if (config.combineNorms !== undefined) return buildAttack(config, { ...plan, name: 'pgd', steps }, inner);
  const attack = steps === 1 ? fgsm({ norm, epsilon, loss }) : pgd({ norm, epsilon, steps, loss });
  return { ...attack, startNoise: inner.startNoise };
}

/** Steps of the attack that measures robust accuracy during training. */
export const VALIDATION_STEPS = 10;

/**
 * PGD-10 with its default step size, whatever the training attack. Where training is against several norms, it is PGD-10 in each:
 * an image counts as right only if all of them leave it right.
 */
export function validationAttack(config: TrainConfig): Pick<Attack, 'perturb'> & Partial<Pick<Attack, 'epsilon'>> {
  const { norm, epsilon } = config;
  const radii = radiiOf(config);
  if (radii.length === 0) return pgd({ norm, epsilon, steps: VALIDATION_STEPS });
  const attacks = radii.map(([each, radius]) => ({
    norm: each,
    attack: pgd({ norm: each, epsilon: radius, steps: VALIDATION_STEPS }),
  }));
  // The margin is above 0 exactly where an image is misclassified, so one that any norm fools comes back fooled.
  return { perturb: worstOf(attacks, cwMargin) };
}

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
  attack: TrainingAttack,
  objective: Objective,
  program: Program,
  weights: Weights,
  { images, labels, samples }: AttackedBatch,
  { key, mode }: { readonly key: Key; readonly mode: TrainConfig['attackBn'] },
): Promise<{ adversarial: Tensor4D; costs: Costs }> {
  const { share } = objective.inner ?? { share: 1 };
  const count = Math.floor(share * samples.length);
  const isWhole = count === samples.length;
  const attacked = isWhole ? tf.clone(images) : tf.slice(images, 0, count);
  const goal = tf.slice(labels, 0, count);
  const start = startOf(attack, attacked, samples, key);
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
    const adversarial = isWhole ? perturbed : tf.tidy(() => tf.concat([perturbed, tf.slice(images, count)]));
    if (!isWhole) perturbed.dispose();
    return { adversarial, costs: attackCosts(spent, flopsOf(program, weights.params)) };
  } finally {
    tf.dispose([attacked, goal, start ?? []]);
  }
}

/** x + startNoise · N(0, 1), owned by the caller; undefined if the attack has a random start of its own. */
function startOf({ startNoise }: TrainingAttack, images: Tensor4D, samples: readonly number[], key: Key) {
  if (startNoise === null) return undefined;
  // A factor of single precision, so that the products are those of single precision.
  const scale = Math.fround(startNoise);
  return withNoise(images, samples, key, (stream, size) => normal(stream, size).map((x) => scale * x));
}
