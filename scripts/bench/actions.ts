// What the bench times on a network: forward, attack iteration, training step, adversarial training steps.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type Attack, type Classifier, crossEntropy, lossGradient, pgd } from '../../attacks/index.ts';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { disposeParams, disposeTensors, trainables } from '../../src/core/params.ts';
import { natural } from '../../src/objectives/objectives.ts';
import { runNetwork } from '../../src/ops/network.ts';
import { applyUpdates, disposeState, sgd } from '../../src/optimizers/sgd.ts';
import { lossGradients } from '../../src/training/loss-gradients.ts';
import type { Batch, Net } from './nets.ts';

/**
 * What is timed of a whole network, through what a user calls. `forward`: logits, batch norm in evaluation mode; `attack`:
 * that and the gradient of the images; `step`: a training step by SGD with momentum and weight decay; `one-step` and `pgd`: an
 * attack of one step, or PGD-10, and a training step on its examples.
 */
export type Action = 'forward' | 'attack' | 'step' | AdversarialStep;
export type AdversarialStep = keyof typeof ATTACK_STEPS;

/** Steps of the attack in adversarial training steps. */
export const ATTACK_STEPS = { 'one-step': 1, pgd: 10 } as const;

export const ACTION_LABELS: { readonly [A in Action]: string } = {
  forward: 'forward',
  attack: 'attack iteration',
  step: 'training step',
  'one-step': 'one-step training step',
  pgd: `PGD-${ATTACK_STEPS.pgd} training step`,
};

const KEY = seedKey('bench actions');
const objective = natural();
const optimizer = sgd({ momentum: 0.9, weightDecay: 5e-4 });
const attack = pgd({ epsilon: 8 / 255, stepSize: 2 / 255, steps: ATTACK_STEPS.pgd });
const oneStepAttack = pgd({ epsilon: 8 / 255, stepSize: 10 / 255, steps: ATTACK_STEPS['one-step'] });

const classifierOf =
  ({ program, params, state }: Net): Classifier =>
  (images) =>
    runNetwork(program, params, state, images, { training: false }).logits;

/** The actions of the engine, or whatever backend is current, on one network. */
export function actionsOf(net: Net, { images, labels }: Batch) {
  let momentum = optimizer.init(trainables(net.params));

  function step(pixels: Tensor4D): void {
    const { loss, gradients, state } = lossGradients(net.program, objective, net, {
      images: pixels,
      adversarial: pixels,
      labels,
    });
    const { updates, state: moved } = optimizer.update(gradients, momentum, trainables(net.params), {
      learningRate: 0.01,
    });
    const params = applyUpdates(net.params, updates);
    loss.dispose();
    disposeTensors(gradients);
    disposeTensors(state);
    disposeTensors(updates);
    disposeParams(net.params);
    disposeState(momentum);
    net.params = params;
    momentum = moved;
  }

  const perturb = (by = attack): Promise<Tensor4D> =>
    by.perturb(classifierOf(net), images, labels, { key: foldIn(KEY, 'attack'), mode: 'train' });

  const adversarialStep = async (by: Attack): Promise<void> => {
    const adversarial = await perturb(by);
    step(adversarial);
    adversarial.dispose();
  };

  const actions: { readonly [A in Action]: () => Promise<void> } = {
    forward: async () => {
      const logits = classifierOf(net)(images);
      await logits.data();
      logits.dispose();
    },
    attack: async () => {
      const { gradient, loss, logits } = lossGradient(
        classifierOf(net),
        crossEntropy,
        { kind: 'untargeted', labels },
        images,
      );
      await gradient.data();
      tf.dispose([gradient, loss, logits]);
    },
    step: async () => step(images),
    'one-step': () => adversarialStep(oneStepAttack),
    pgd: () => adversarialStep(attack),
  };
  return {
    ...actions,
    /** The examples alone. */
    perturb: async () => (await perturb()).dispose(),
    dispose: () => disposeState(momentum),
  };
}

/** What is compared with another implementation: logits, input gradient, weight gradients at the nonzeros by name. */
export function computed(net: Net, { images, labels }: Batch): Record<string, Float32Array> {
  const { gradient, loss, logits } = lossGradient(
    classifierOf(net),
    crossEntropy,
    { kind: 'untargeted', labels },
    images,
  );
  const training = lossGradients(net.program, objective, net, { images, adversarial: images, labels });
  const values = Object.fromEntries(
    Object.entries({ ...training.gradients, logits, images: gradient }).map(([name, tensor]) => [
      name,
      tensor.dataSync() as Float32Array,
    ]),
  );
  tf.dispose([gradient, loss, logits, training.loss]);
  disposeTensors(training.gradients);
  disposeTensors(training.state);
  return values;
}
