import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import { foldIn, type Key, seedKey } from '../src/core/key.ts';
import { checkCount, checkImages } from './checks.ts';
import { readClasses } from './goals.ts';
import { holding } from './held.ts';
import { checkOptions, type OptionNames } from './options.ts';
import { takeRows } from './rows.ts';
import { success } from './success.ts';
import type { Attack, AttackedModel, Cost } from './types.ts';
import { addCosts, underAttack } from './under-attack.ts';

/**
 * Images [batch, height, width, channels] as one tensor, borrowed, or a function that makes those from `start` up to
 * `end`, so that they need not be in memory together; what it returns is freed after use.
 */
export type ImageSource = Tensor4D | ((start: number, end: number) => Tensor4D | Promise<Tensor4D>);

export interface RobustAccuracyOptions {
  /** Names the attacks' random numbers, each below `foldIn(key, name)`; default `seedKey(0)`. */
  readonly key?: Key;
  /** Images attacked together, what memory is needed for; default 128. */
  readonly batchSize?: number;
  /** The images' numbers in their data set, each with a random stream of its own; default 0 … n − 1. */
  readonly samples?: readonly number[];
  /**
   * Whether each attack runs only on images that all before it left standing, so that `perAttack` is what is left after
   * it; default false: each on every image that is classified right.
   */
  readonly cascade?: boolean;
  /** Told after every batch how many of the n images are done. */
  readonly onProgress?: (done: number, n: number) => void;
}

const OPTIONS: OptionNames<RobustAccuracyOptions> = {
  key: true,
  batchSize: true,
  samples: true,
  cascade: true,
  onProgress: true,
};

/** Accuracies are fractions of all n images; a robust one is an upper bound, under the attacks that were run. */
export interface RobustAccuracy {
  readonly n: number;
  /** The share of images classified right as they are. */
  readonly clean: number;
  /** For each attack the share classified right as they are *and* under that attack, in a cascade also all before. */
  readonly perAttack: Readonly<Record<string, number>>;
  /** The share classified right as they are and under every attack. */
  readonly union: number;
  /** For each image whether it counts in `clean`. */
  readonly correct: readonly boolean[];
  /** For each image whether it counts in `union`. */
  readonly survived: readonly boolean[];
  /** For each attack and image whether it counts in `perAttack`. */
  readonly survivedAttack: Readonly<Record<string, readonly boolean[]>>;
  /** What each attack asked of the model, the check of its results included. */
  readonly cost: Readonly<Record<string, Cost>>;
}

/**
 * The share of images that a model classifies right, and still does under each attack and under all of them: the worst
 * case of every single image. Each attack runs on all images that are classified right; whether it succeeds is what the
 * model predicts for the images it returns.
 *
 * @param attacks with different names, or under names of your own: `{ 'pgd-ce': pgd(…), 'pgd-cw': pgd(…) }`
 * @param labels class numbers [n]; borrowed
 *
 * Throws InputError for images, labels and samples of different numbers, and whatever the attacks throw.
 */
export async function robustAccuracy(
  model: AttackedModel,
  attacks: readonly Attack[] | Readonly<Record<string, Attack>>,
  images: ImageSource,
  labels: Tensor1D | ArrayLike<number>,
  options: RobustAccuracyOptions = {},
): Promise<RobustAccuracy> {
  checkOptions('robustAccuracy', options, OPTIONS);
  const { key = seedKey(0), batchSize = 128, cascade = false, onProgress } = options;
  const named = nameAttacks(attacks);
  const classes = await readLabels(images, labels);
  const n = classes.length;
  const samples = options.samples ?? Array.from({ length: n }, (_, i) => i);
  checkCount('batchSize', batchSize, 1);
  if (n === 0) throw new InputError('robustAccuracy needs at least one image; none came.');
  if (samples.length !== n) {
    throw new InputError(`samples are the ${n} images' numbers in their data set; ${samples.length} came.`);
  }

  const correct = new Array<boolean>(n).fill(false);
  const survivedAttack = Object.fromEntries(named.map(([name]) => [name, new Array<boolean>(n).fill(false)]));
  const cost = Object.fromEntries(named.map(([name]) => [name, { forwardPasses: 0, inputGradients: 0 } as Cost]));

  for (let start = 0; start < n; start += batchSize) {
    const end = Math.min(start + batchSize, n);
    await holding(async ({ hold }) => {
      const batch = hold(await takeImages(images, start, end));
      const wrong = await success(model, batch, hold(tf.tensor1d(classes.subarray(start, end), 'int32')));
      let right = wrong.flatMap((is, i) => (is ? [] : [i]));
      for (const i of right) correct[start + i] = true;
      for (const [name, attack] of named) {
        if (right.length === 0) return;
        const attacked = hold(takeRows(batch, right));
        const goal = hold(
          tf.tensor1d(
            right.map((i) => classes[start + i]),
            'int32',
          ),
        );
        const result = await underAttack(model, attack, attacked, goal, {
          key: foldIn(key, name),
          samples: right.map((i) => samples[start + i]),
        });
        for (const tensor of [attacked, goal, result.adversarial]) tensor.dispose();
        cost[name] = addCosts(cost[name], result.cost);
        right.forEach((i, row) => {
          survivedAttack[name][start + i] = result.survived[row];
        });
        if (cascade) right = right.filter((_, row) => result.survived[row]);
      }
    });
    onProgress?.(end, n);
  }

  const survived = correct.map((is, i) => is && named.every(([name]) => survivedAttack[name][i]));
  const share = (flags: readonly boolean[]) => flags.filter(Boolean).length / n;
  return {
    n,
    clean: share(correct),
    perAttack: Object.fromEntries(named.map(([name]) => [name, share(survivedAttack[name])])),
    union: share(survived),
    correct,
    survived,
    survivedAttack,
    cost,
  };
}

function nameAttacks(attacks: readonly Attack[] | Readonly<Record<string, Attack>>): (readonly [string, Attack])[] {
  if (!Array.isArray(attacks)) return Object.entries(attacks);
  const named = (attacks as readonly Attack[]).map((attack) => [attack.name, attack] as const);
  named.forEach(([name], i) => {
    if (named.findIndex(([other]) => other === name) !== i) {
      throw new InputError(
        `Two attacks are called ${name}. Give one the option name, or pass them as { nameA: attack, nameB: attack }.`,
      );
    }
  });
  return named;
}

async function readLabels(images: ImageSource, labels: Tensor1D | ArrayLike<number>): Promise<Int32Array> {
  const count = typeof images === 'function' ? undefined : images.shape[0];
  if (labels instanceof tf.Tensor) return readClasses('labels', labels, count ?? labels.shape[0]);
  const classes = Int32Array.from(labels);
  if (count !== undefined && classes.length !== count) {
    throw new InputError(`labels are class numbers [${count}], one an image; ${classes.length} came.`);
  }
  return classes;
}

async function takeImages(images: ImageSource, start: number, end: number): Promise<Tensor4D> {
  if (typeof images !== 'function') {
    checkImages(images);
    return tf.slice(images, [start, 0, 0, 0], [end - start, -1, -1, -1]);
  }
  const batch = await images(start, end);
  if (batch.shape[0] !== end - start) {
    throw new InputError(`The images from ${start} up to ${end} are ${end - start}; [${batch.shape}] came.`);
  }
  return batch;
}
