// A short attack without gradients on images that every attack of an evaluation left right. The alarm 'black-box beats
// white-box' reads the result where no such attack was asked for.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { square } from '../../../attacks/index.ts';
import { NO_COST } from '../../../attacks/loops/costs.ts';
import { underAttack } from '../../../attacks/measure/under-attack.ts';
import type { Classifier, Cost, NormName } from '../../../attacks/types.ts';
import type { Key } from '../../core/key.ts';

/** What it found. */
export interface ShortSquare {
  readonly attack: string;
  readonly norm: NormName;
  readonly epsilon: number;
  /** Images attacked, and those of them that it turned. */
  readonly n: number;
  readonly turned: number;
}

const QUERIES = 200;

/**
 * Square with few queries on those of the first images that are left. It is no attack of the evaluation: its successes are
 * counted in no accuracy.
 *
 * @param images borrowed
 * @param labels of these images, at least as many
 * @param left places among these images
 * @param options with the calls of the model that it averages for an answer
 */
export async function shortSquare(
  model: Classifier,
  images: Tensor4D,
  labels: Int32Array,
  left: readonly number[],
  { norm, epsilon, eot, key, signal }: { norm: NormName; epsilon: number; eot: number; key: Key; signal?: AbortSignal },
): Promise<{ readonly found: ShortSquare; readonly cost: Cost }> {
  const found = { attack: `square-${QUERIES}`, norm, epsilon, n: left.length, turned: 0 };
  if (left.length === 0) return { found, cost: NO_COST };
  const standing = tf.gather(images, [...left]);
  const classes = tf.tensor1d(
    left.map((place) => labels[place]),
    'int32',
  );
  try {
    const attack = square({ norm, epsilon, queries: QUERIES, rescale: true, eot });
    const { adversarial, survived, cost } = await underAttack(model, attack, standing, classes, {
      key,
      samples: left,
      signal,
    });
    adversarial.dispose();
    return { found: { ...found, turned: survived.filter((is) => !is).length }, cost };
  } finally {
    tf.dispose([standing, classes]);
  }
}
