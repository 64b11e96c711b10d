// What one network makes of each class of test images: how many it gets right without attack and under the attacks of its
// evaluation, and which classes it takes for which before and after an attack.

import type * as tf from '@tensorflow/tfjs-core';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { norms, pgd } from '../../attacks/index.ts';
import { holding } from '../../attacks/support/tensor-scope.ts';
import { turns } from '../../attacks/support/yielding.ts';
import type { NormName } from '../../attacks/types.ts';
import { foldIn, seedKey } from '../core/key.ts';
import { batchesOf, batchImages, batchLabels } from '../data/batch.ts';
import { testIndices } from '../data/split.ts';
import type { Dataset } from '../data/types.ts';
import { unpackBits } from '../evaluation/results/bits.ts';
import { predict } from '../evaluation/targets/predict.ts';
import type { Target } from '../evaluation/targets/target.ts';

export interface Breakdown {
  readonly norm: NormName;
  readonly epsilon: number;
  /** Class names, in the order of the labels. */
  readonly classes: readonly string[];
  /** Numbers of images of each class. */
  readonly perClass: readonly {
    readonly images: number;
    readonly clean: number;
    /** Images that survived every attack of the evaluation. */
    readonly robust: number;
  }[];
  /** Numbers of images by their class and then by the predicted one. */
  readonly confusion: {
    readonly attack: string;
    readonly clean: readonly (readonly number[])[];
    readonly adversarial: readonly (readonly number[])[];
  };
}

const count = z.int().min(0);
const matrix = z.array(z.array(count));

export const breakdownSchema = z
  .object({
    norm: z.enum(Object.keys(norms) as [NormName, ...NormName[]]),
    epsilon: z.number().positive(),
    classes: z.array(z.string()),
    perClass: z.array(z.object({ images: count, clean: count, robust: count })),
    confusion: z.object({ attack: z.string(), clean: matrix, adversarial: matrix }),
  })
  .refine(
    ({ classes, perClass, confusion }) =>
      [perClass, confusion.clean, confusion.adversarial, ...confusion.clean, ...confusion.adversarial].every(
        ({ length }) => length === classes.length,
      ),
    'expected figures of as many classes as there are names',
  );

const STEPS = 20;
const BATCH = 100;
/** So many images are attacked anew, as evaluations do not record what an attacked image is taken for. */
const ATTACKED = 200;

export interface BreakdownOptions {
  readonly norm: NormName;
  readonly epsilon: number;
  /** How many test images were evaluated. */
  readonly images: number;
  /** Which of them survived, as evaluations record it. */
  readonly survived: string;
  /** Stops it within one call of the model. */
  readonly signal?: AbortSignal;
}

/** @param target borrowed; it runs on the current backend */
export async function breakDown(
  target: Target,
  dataset: Dataset,
  { norm, epsilon, images, survived, signal }: BreakdownOptions,
): Promise<Breakdown> {
  const { classes, test } = dataset;
  const indices = testIndices(test, images);
  const bits = unpackBits(survived, indices.length);
  const before = await predictAll(target, dataset, indices, signal);
  const perClass = classes.map((_, label) => {
    const places = [...indices.keys()].filter((place) => test.labels[indices[place]] === label);
    return {
      images: places.length,
      clean: places.filter((place) => before[place] === label).length,
      robust: places.filter((place) => bits[place] === 1).length,
    };
  });
  const attacked = testIndices(test, Math.min(ATTACKED, images));
  const attack = pgd({ norm, epsilon, steps: STEPS });
  const key = foldIn(seedKey(0), 'breakdown');
  const perturb = (batch: Tensor4D, labels: tf.Tensor1D, samples: readonly number[]) =>
    attack.perturb(target.classify, batch, labels, { key, samples, signal });
  const [clean, adversarial] = [
    await predictAll(target, dataset, attacked, signal),
    await predictAll(target, dataset, attacked, signal, perturb),
  ];
  const confusion = (predictions: readonly number[]) => {
    const counts = classes.map(() => classes.map(() => 0));
    attacked.forEach((index, place) => {
      const row = counts[test.labels[index]];
      if (predictions[place] in row) row[predictions[place]]++;
    });
    return counts;
  };
  return {
    norm,
    epsilon,
    classes,
    perClass,
    confusion: { attack: `PGD-${STEPS}`, clean: confusion(clean), adversarial: confusion(adversarial) },
  };
}

type Perturb = (images: Tensor4D, labels: tf.Tensor1D, samples: readonly number[]) => Promise<Tensor4D>;

async function predictAll(
  target: Target,
  dataset: Dataset,
  indices: Int32Array,
  signal: AbortSignal | undefined,
  perturb?: Perturb,
): Promise<number[]> {
  const predictions: number[] = [];
  const turn = turns(signal);
  for (const batch of batchesOf(indices, BATCH)) {
    await turn();
    const classes = await holding(async ({ hold }) => {
      const images = hold(batchImages(dataset.test, batch, dataset.imageShape));
      const labels = hold(batchLabels(dataset.test, batch));
      const made = perturb === undefined ? images : hold(await perturb(images, labels, Array.from(batch)));
      return predict(target.classify, made);
    });
    predictions.push(...classes);
  }
  return predictions;
}
