// Clean and robust accuracy of a model over many images, batch by batch.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import { type Key, seedKey } from '../../src/core/key.ts';
import { addCosts, NO_COST } from '../loops/costs.ts';
import { checkKnown } from '../loops/goals.ts';
import { checkSignal, samplesOf } from '../loops/problem.ts';
import { checkCount } from '../support/checks.ts';
import { checkImages, readPixels } from '../support/images.ts';
import { readClasses } from '../support/labels.ts';
import { checkOptionNames, namesOf } from '../support/options.ts';
import { holding } from '../support/tensor-scope.ts';
import { turns } from '../support/yielding.ts';
import type { Attack, AttackedModel, AttackProgress, Bounds, Cost, Labels } from '../types.ts';
import { judge } from './success.ts';
import { type NamedAttack, verdicts } from './verdicts.ts';

/**
 * Images [batch, height, width, channels] as one tensor, borrowed, or a function that makes those from `start` up to
 * `end`, so that they need not be in memory together; what it returns is freed after use.
 */
export type ImageSource = Tensor4D | ((start: number, end: number) => Tensor4D | Promise<Tensor4D>);

/** Options of measuring robust accuracy. */
export interface RobustAccuracyOptions {
  /** Names the attacks' random numbers, each below `foldIn(key, name)`; default `seedKey(0)`. */
  readonly key?: Key;
  /** Images attacked together, what memory is needed for; default 128. */
  readonly batchSize?: number;
  /** The images' numbers in their data set, each with a random stream of its own; default 0 … n − 1. */
  readonly samples?: readonly number[];
  /**
   * True if each attack runs only on images that all before it left standing, so that `perAttack` is what is left after
   * it; default false: each on every image that is classified right.
   */
  readonly cascade?: boolean;
  /** Called after every batch with the number of images that are done. */
  readonly onProgress?: (done: number, n: number) => void;
  /** Called after every step of an attack with its progress in the batch. */
  readonly onAttackProgress?: (progress: AttackProgress) => void;
  /** Stops the measurement, which then throws the signal's reason before its next call of the model. */
  readonly signal?: AbortSignal;
}

const OPTIONS = namesOf<RobustAccuracyOptions>({
  key: true,
  batchSize: true,
  samples: true,
  cascade: true,
  onProgress: true,
  onAttackProgress: true,
  signal: true,
});

/** Accuracies are fractions of all n images; a robust one is an upper bound, under the attacks that were run. */
export interface RobustAccuracy {
  readonly n: number;
  /** The share of images classified right as they are. */
  readonly clean: number;
  /** The accuracy under each attack: the share of images that are right clean and under that attack. In a cascade they must also be right under all attacks before it. */
  readonly perAttack: Readonly<Record<string, number>>;
  /** The share classified right as they are and under every attack. */
  readonly union: number;
  /** True for each image that counts in `clean`. */
  readonly correct: readonly boolean[];
  /** True for each image that counts in `union`. */
  readonly survived: readonly boolean[];
  /** True for each image that counts in `perAttack`, by attack. */
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
 * Pixels of all images are checked before an attack is run; those that a function makes, batch by batch. Throws InputError
 * for pixels that are not finite or out of the attacks' bounds, for labels that are no class of the model, for images,
 * labels and samples of different numbers, and whatever the attacks throw.
 */
export async function robustAccuracy(
  model: AttackedModel,
  attacks: readonly Attack[] | Readonly<Record<string, Attack>>,
  images: ImageSource,
  labels: Labels,
  options: RobustAccuracyOptions = {},
): Promise<RobustAccuracy> {
  checkOptionNames('robustAccuracy', options, OPTIONS);
  const { key = seedKey(0), batchSize = 128, cascade = false, onProgress, onAttackProgress, signal } = options;
  checkCount('batchSize', batchSize, 1);
  checkSignal(signal);
  const named = nameAttacks(attacks);
  const bounds = boundsOf(named.map(([, attack]) => attack));
  if (typeof images !== 'function') await readPixels(images, bounds);
  const classes = await readClasses('labels', labels, typeof images === 'function' ? undefined : images.shape[0]);
  const n = classes.length;
  if (n === 0) throw new InputError('robustAccuracy: expected at least one image, got none. Give it images.');
  const samples = samplesOf(options, n);
  const turn = turns(signal);

  const correct = new Array<boolean>(n).fill(false);
  const survivedAttack = Object.fromEntries(named.map(([name]) => [name, new Array<boolean>(n).fill(false)]));
  const cost = Object.fromEntries(named.map(([name]) => [name, NO_COST]));

  for (let start = 0; start < n; start += batchSize) {
    const end = Math.min(start + batchSize, n);
    await holding(async ({ hold }) => {
      const batch = hold(await takeImages(images, start, end, bounds));
      const own = { kind: 'untargeted', classes: classes.subarray(start, end) } as const;
      const { solved: wrong, classes: known } = await judge(model, batch, own, turn);
      if (start === 0) checkKnown('labels', classes, known);
      const right = wrong.flatMap((is, i) => (is ? [] : [i]));
      for (const i of right) correct[start + i] = true;
      const found = verdicts(model, named, batch, own, {
        key,
        samples: samples.slice(start, end),
        rows: right,
        later: cascade ? 'survivors' : 'all',
        onProgress:
          onAttackProgress && ((progress, [name, attack]) => onAttackProgress(renamed(progress, attack, name))),
        signal,
      });
      for await (const { name, rows, survived, cost: spent } of found) {
        cost[name] = addCosts(cost[name], spent);
        rows.forEach((row, i) => {
          survivedAttack[name][start + row] = survived[i];
        });
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

function nameAttacks(attacks: readonly Attack[] | Readonly<Record<string, Attack>>): NamedAttack[] {
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

/** Progress of an attack under the name that the caller gave it; of a cascade's part under both. */
const renamed = (progress: AttackProgress, { name: own }: Attack, name: string): AttackProgress => ({
  ...progress,
  attack: progress.attack === own ? name : `${name}: ${progress.attack}`,
});

/** The pixels that all of the attacks take. */
const boundsOf = (attacks: readonly Attack[]): Bounds => {
  const all = attacks.map(({ bounds = [0, 1] }) => bounds);
  return all.length === 0 ? [0, 1] : [Math.max(...all.map(([low]) => low)), Math.min(...all.map(([, high]) => high))];
};

/** Images from `start` up to `end`, read and checked; owned by the caller. */
async function takeImages(images: ImageSource, start: number, end: number, bounds: Bounds): Promise<Tensor4D> {
  if (typeof images !== 'function') return tf.slice(images, [start, 0, 0, 0], [end - start, -1, -1, -1]);
  const batch = await images(start, end);
  try {
    checkImages(batch);
    if (batch.shape[0] !== end - start) {
      throw new InputError(
        `images: expected ${end - start} from the function for ${start} … ${end}, got [${batch.shape}]. Return those from start up to end.`,
      );
    }
    await readPixels(batch, bounds, start);
    return batch;
  } catch (error) {
    if (batch instanceof tf.Tensor) tf.dispose(batch);
    throw error;
  }
}
