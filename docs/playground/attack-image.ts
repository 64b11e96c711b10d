import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import {
  type Attack,
  type AttackName,
  attacks,
  type Classifier,
  type Goal,
  type NormName,
  norms,
  quantised,
  seedKey,
} from '../../attacks/index.ts';

/** One attack on one image, as the page's controls describe it. */
export interface Request {
  readonly attack: AttackName;
  readonly norm: NormName;
  readonly epsilon: number;
  /** Queries of Square. */
  readonly steps: number;
  readonly label: number;
  /** A class to reach; null for any but the label. */
  readonly target: number | null;
  readonly seed: number;
  /** True if every pixel of the example is a byte. */
  readonly bytes: boolean;
}

export interface Outcome {
  /** Pixels in [0, 1], as those of the image. */
  readonly adversarial: Float32Array;
  /** Probabilities of the classes. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  readonly distances: Readonly<Record<NormName, number>>;
  readonly forwardPasses: number;
  readonly inputGradients: number;
  readonly milliseconds: number;
}

function attackOf({ attack, norm, epsilon, steps, bytes }: Request): Attack {
  const made = (attacks[attack] as (options: object) => Attack)({ norm, epsilon, ...lengthOf(attack, steps) });
  return bytes ? quantised(made) : made;
}

/** The options that say how long an attack runs. */
function lengthOf(attack: AttackName, steps: number): object {
  switch (attack) {
    case 'fgsm':
      return {};
    case 'square':
      return { queries: steps };
    case 'autoattack':
      return { steps, queries: steps };
    default:
      return { steps };
  }
}

/**
 * Attacks one image on the current backend.
 *
 * @param pixels in [0, 1], row-major; borrowed
 */
export async function attackImage(
  model: Classifier,
  pixels: Float32Array,
  shape: readonly [number, number, number],
  request: Request,
): Promise<Outcome> {
  const cost = { forwardPasses: 0, inputGradients: 0 };
  const image = tf.tensor4d(pixels, [1, ...shape]);
  const classes = tf.tensor1d([request.target ?? request.label], 'int32');
  const goal: Goal =
    request.target === null ? { kind: 'untargeted', labels: classes } : { kind: 'targeted', targets: classes };
  try {
    const before = await probabilities(model, image);
    const started = performance.now();
    const example = await attackOf(request).perturb(model, image, goal, {
      key: seedKey(request.seed),
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
        after: await probabilities(model, example),
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
    tf.dispose([image, classes]);
  }
}

/** The probabilities that a model gives the classes of one image. */
export async function probabilities(model: Classifier, image: Tensor4D): Promise<Float32Array> {
  const tensor = tf.tidy(() => tf.softmax(model(image) as Tensor2D));
  return (await tensor.data().finally(() => tensor.dispose())) as Float32Array;
}
