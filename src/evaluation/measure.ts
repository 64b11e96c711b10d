import { setImmediate } from 'node:timers/promises';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { norms } from '../../attacks/index.ts';
import type { Attack, Classifier, NormName } from '../../attacks/types.ts';
import { InputError } from '../core/errors.ts';
import { foldIn, type Key, seedKey } from '../core/key.ts';
import { batchImages, type Dataset, testIndices } from '../data/index.ts';
import { type Alarm, type AttackEvidence, checkAlarms, type Evidence } from './alarms.ts';
import { type AttackSpec, attackLabel, attackSettings, buildAttack } from './attacks.ts';
import { packBits } from './bits.ts';
import { addCounts, type Counts, counting, noCounts } from './counting.ts';
import { checkEpsilon } from './epsilon.ts';
import { type Accuracy, accuracyOf } from './intervals.ts';
import { predict } from './predict.ts';
import { probeModel } from './probe.ts';
import type { AttackResult } from './types.ts';
import { withUnions } from './union.ts';

export interface MeasureOptions {
  readonly norm: NormName;
  /** Radii in pixel units of [0, 1]; at 0 nothing is attacked. */
  readonly epsilons: readonly number[];
  readonly attacks: readonly AttackSpec[];
  /** Names every random number of the attacks; default 0. */
  readonly seed?: number;
  /** Images at once; changes no result but for rounding. Default 256. */
  readonly batchSize?: number;
  /** Use only so many images, balanced over the classes. */
  readonly limit?: number;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  /** Stops between two attacks of a batch. */
  readonly signal?: AbortSignal;
}

/** How far an evaluation is. */
export interface EvaluationProgress {
  /** Images done and to do, each counted once an attack and radius. */
  readonly done: number;
  readonly total: number;
  /** Accuracies over the images done so far: without attack, and under every attack of the first radius above 0. */
  readonly clean: number;
  /** Null while the first batch is under attack. */
  readonly robust: number | null;
}

export interface Measurement {
  readonly clean: Accuracy;
  readonly attacks: readonly AttackResult[];
  readonly alarms: readonly Alarm[];
  readonly forwardPasses: number;
  readonly inputGradients: number;
}

/** What an evaluation needs of a data set. */
export type EvaluatedSplit = Pick<Dataset, 'test' | 'imageShape' | 'classes'>;

/** One attack at one radius, with what it has found so far. */
interface Cell {
  readonly spec: AttackSpec;
  readonly label: string;
  readonly epsilon: number;
  /** Null at radius 0. */
  readonly attack: Attack | null;
  readonly key: Key;
  readonly counts: Counts;
  /** By image: right clean and under attack. */
  readonly survived: Uint8Array;
}

/**
 * Clean accuracy of a classifier, its accuracy under each attack at each radius and, by image, under their union.
 *
 * An image counts as right under attack where it is right both clean and attacked; images misclassified without attack
 * are not attacked. Random choices depend on the seed, the attack and the image's number only.
 *
 * @throws InputError for options out of range
 */
export async function measure(
  model: Classifier,
  dataset: EvaluatedSplit,
  options: MeasureOptions,
): Promise<Measurement> {
  const { norm, batchSize = 256, seed = 0, signal, onProgress } = options;
  const { test, imageShape, classes } = dataset;
  const indices = testIndices(test, options.limit);
  const n = indices.length;
  checkOptions(options, n);
  const key = foldIn(seedKey(seed), 'attack');
  const cells = options.epsilons.flatMap((epsilon) =>
    options.attacks.map((spec): Cell => {
      const label = attackLabel(spec);
      return {
        spec,
        label,
        epsilon,
        attack: epsilon === 0 ? null : buildAttack(spec, norm, epsilon),
        key: foldIn(key, label),
        counts: noCounts(),
        survived: new Uint8Array(n),
      };
    }),
  );
  const counts = noCounts();
  const counted = counting(model, counts);
  const labels = Uint8Array.from(indices, (index) => test.labels[index]);
  const predictions = new Int32Array(n);
  const right = new Uint8Array(n);
  const seen = { outside: 0, successes: 0, unstable: 0 };
  const shownEpsilon = options.epsilons.find((epsilon) => epsilon > 0) ?? 0;
  const shown = cells.filter(({ epsilon }) => epsilon === shownEpsilon);

  for (let start = 0; start < n; start += batchSize) {
    const batch = indices.subarray(start, start + batchSize);
    const images = batchImages(test, batch, imageShape);
    try {
      predictions.set(await predict(counted, images), start);
      const attacked: number[] = [];
      for (let i = 0; i < batch.length; i++) if (predictions[start + i] === labels[start + i]) attacked.push(i);
      for (const i of attacked) right[start + i] = 1;
      for (const [index, cell] of cells.entries()) {
        signal?.throwIfAborted();
        if (attacked.length > 0) {
          await attackBatch(model, cell, { images, start, attacked, indices, labels }, seen);
        }
        const finished = index === cells.length - 1 ? start + batch.length : start;
        onProgress?.({
          done: start * cells.length + batch.length * (index + 1),
          total: n * cells.length,
          clean: sum(right) / (start + batch.length),
          robust: finished === 0 ? null : sum(intersection(shown, finished)) / finished,
        });
        // Lets Ctrl-C and timers in.
        await setImmediate();
      }
    } finally {
      images.dispose();
    }
  }

  const first = batchImages(test, indices.subarray(0, PROBED), imageShape);
  const probe = await probeModel(counted, first, labels, key).finally(() => first.dispose());
  return {
    clean: accuracyOf(sum(right), n),
    attacks: withUnions(cells.map((cell) => resultOf(cell, norm))),
    alarms: checkAlarms({
      classes: classes.length,
      predictions,
      attacks: cells.map((cell) => evidenceOf(cell, norm)),
      probe,
      ...seen,
    }),
    ...cells.reduce<Counts>((total, cell) => addCounts(total, cell.counts), counts),
  };
}

/** How many images the alarms that need extra work look at. */
const PROBED = 64;

/** A batch with those of its images, by their places in it, that are right without attack. */
interface Batch {
  readonly images: Tensor4D;
  /** How many of the evaluated images come before it. */
  readonly start: number;
  readonly attacked: readonly number[];
  /** Of all evaluated images: their numbers in the data set, and their labels. */
  readonly indices: Int32Array;
  readonly labels: Uint8Array;
}

type Seen = Pick<Evidence, 'outside' | 'successes' | 'unstable'>;

async function attackBatch(
  model: Classifier,
  { attack, epsilon, counts, key, survived }: Cell,
  { images, start, attacked, indices, labels }: Batch,
  seen: { -readonly [K in keyof Seen]: Seen[K] },
): Promise<void> {
  const places = attacked.map((i) => start + i);
  if (attack === null) {
    for (const place of places) survived[place] = 1;
    return;
  }
  const counted = counting(model, counts);
  const right = tf.gather(images, attacked as number[]);
  const goal = tf.tensor1d(
    places.map((place) => labels[place]),
    'int32',
  );
  const samples = places.map((place) => indices[place]);
  const adversarial = await attack.perturb(counted, right, goal, { key, samples }).finally(() => goal.dispose());
  try {
    const predictions = await predict(counted, adversarial);
    const fooled: number[] = [];
    for (const [j, place] of places.entries()) {
      if (predictions[j] === labels[place]) survived[place] = 1;
      else fooled.push(j);
    }
    seen.outside += await countOutside(right, adversarial, attack.norm, epsilon);
    if (start === 0 && fooled.length > 0) {
      seen.successes += fooled.length;
      seen.unstable += await countUnstable(counted, adversarial, fooled, (j) => labels[places[j]]);
    }
  } finally {
    right.dispose();
    adversarial.dispose();
  }
}

/** Adversarial images further than ε from theirs, or with pixels outside [0, 1], beyond the rounding of float32. */
async function countOutside(images: Tensor4D, adversarial: Tensor4D, norm: NormName, epsilon: number): Promise<number> {
  const [clean, attacked] = [await images.data(), await adversarial.data()];
  const pixels = clean.length / images.shape[0];
  let outside = 0;
  for (let begin = 0; begin < clean.length; begin += pixels) {
    const image = attacked.subarray(begin, begin + pixels);
    const within =
      norms[norm].distance(clean.subarray(begin, begin + pixels), image) <= epsilon * (1 + 1e-4) + 1e-6 &&
      image.every((pixel) => pixel >= -1e-6 && pixel <= 1 + 1e-6);
    if (!within) outside++;
  }
  return outside;
}

/** How many of the adversarial images at `fooled` are classified right after all, in reverse order and another batch. */
async function countUnstable(
  model: Classifier,
  adversarial: Tensor4D,
  fooled: readonly number[],
  label: (index: number) => number,
): Promise<number> {
  const order = fooled.toReversed();
  const again = tf.gather(adversarial, order);
  const predictions = await predict(model, again).finally(() => again.dispose());
  return order.filter((j, i) => predictions[i] === label(j)).length;
}

const sum = (values: Uint8Array): number => values.reduce((total, value) => total + value, 0);

/** Which of the first `n` images survived every one of several attacks. */
const intersection = (cells: readonly Pick<Cell, 'survived'>[], n: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (cells.every(({ survived }) => survived[i]) ? 1 : 0));

const resultOf = ({ spec, label, epsilon, survived, counts }: Cell, norm: NormName): AttackResult => ({
  attack: label,
  norm,
  epsilon,
  ...attackSettings(spec, epsilon),
  robust: accuracyOf(sum(survived), survived.length),
  survived: packBits(survived),
  ...counts,
});

const evidenceOf = ({ spec, label, epsilon, survived }: Cell, norm: NormName): AttackEvidence => {
  const { steps, restarts } = attackSettings(spec, epsilon);
  return {
    attack: label,
    kind: spec.kind,
    loss: 'loss' in spec ? spec.loss : null,
    norm,
    epsilon,
    work: (steps ?? 1) * (restarts ?? 1),
    correct: sum(survived),
    n: survived.length,
  };
};

function checkOptions({ epsilons, attacks, batchSize, limit, norm }: MeasureOptions, n: number): void {
  if (attacks.length === 0) throw new InputError('An evaluation needs at least one attack; none came.');
  if (epsilons.length === 0) throw new InputError('An evaluation needs at least one epsilon; none came.');
  for (const epsilon of epsilons) {
    checkEpsilon(norm, epsilon);
  }
  for (const [name, value] of Object.entries({ batchSize, limit })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new InputError(`${name} must be a whole number of at least 1; ${value} came.`);
    }
  }
  if (n === 0) throw new InputError('The split to evaluate on has no images.');
}
