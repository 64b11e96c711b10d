// One attack on one image.

import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { attackRows } from '../../../attacks/attacks.ts';
import {
  type Attack,
  type AttackName,
  attacks,
  type Classifier,
  norms,
  quantised,
  seedKey,
} from '../../../attacks/index.ts';
import type { GivenGoal } from '../../../attacks/types.ts';
import type { Model } from './models.ts';
import type { Outcome, Request } from './protocol.ts';

function attackOf({ attack, norm, epsilon, steps, bytes }: Request): Attack {
  const made = (attacks[attack] as (options: object) => Attack)({ norm, epsilon, ...lengthOf(attack, steps) });
  return bytes ? quantised(made) : made;
}

/** The options that say how long an attack runs, of those that it has. */
function lengthOf(attack: AttackName, steps: number): object {
  const { options } = attackRows[attack];
  return { ...('steps' in options && { steps }), ...('queries' in options && { queries: steps }) };
}

/**
 * Attacks one image on the current backend. Within a radius of 0 the image is its own example.
 *
 * @param pixels in [0, 1], row-major; borrowed
 */
export async function attackImage(
  { classify, inputShape }: Model,
  pixels: Float32Array,
  request: Request,
  signal: AbortSignal,
): Promise<Outcome> {
  const cost = { forwardPasses: 0, inputGradients: 0 };
  const image = tf.tensor4d(pixels, [1, ...inputShape]);
  try {
    const before = await probabilities(classify, image);
    const label = request.label ?? before.indexOf(Math.max(...before));
    const goal: GivenGoal =
      request.target === null
        ? { kind: 'untargeted', labels: [label] }
        : { kind: 'targeted', targets: [request.target] };
    const started = performance.now();
    const example =
      request.epsilon === 0
        ? tf.clone(image)
        : await attackOf(request).perturb(classify, image, goal, {
            key: seedKey(request.seed),
            signal,
            onCost: ({ forwardPasses, inputGradients }) => {
              cost.forwardPasses += forwardPasses;
              cost.inputGradients += inputGradients;
            },
          });
    try {
      const adversarial = (await example.data()) as Float32Array;
      const milliseconds = performance.now() - started;
      return {
        adversarial,
        before,
        after: await probabilities(classify, example),
        label,
        distances: {
          linf: norms.linf.distance(adversarial, pixels),
          l2: norms.l2.distance(adversarial, pixels),
          l1: norms.l1.distance(adversarial, pixels),
        },
        ...cost,
        milliseconds,
      };
    } finally {
      example.dispose();
    }
  } finally {
    image.dispose();
  }
}

/** The probabilities that a model gives the classes of one image. */
async function probabilities(classify: Classifier, image: Tensor4D): Promise<Float32Array> {
  const tensor = tf.tidy(() => tf.softmax(classify(image) as Tensor2D));
  return (await tensor.data().finally(() => tensor.dispose())) as Float32Array;
}

/** Computes the gradient of a loss in a grey image, as a step of an attack does, and waits for it. */
export async function gradientOf({ classify, inputShape }: Model): Promise<void> {
  const gradient = tf.tidy(() =>
    tf.grad((image) => tf.logSumExp(classify(image as Tensor4D)) as tf.Tensor)(tf.fill([1, ...inputShape], 0.5)),
  );
  await gradient.data().finally(() => gradient.dispose());
}
