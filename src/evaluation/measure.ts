import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { norms } from '../../attacks/index.ts';
import { addCosts, NO_COST, workOf } from '../../attacks/loops/costs.ts';
import { checkKnown } from '../../attacks/loops/goals.ts';
import { type UnderAttackOptions, underAttack } from '../../attacks/measure/under-attack.ts';
import { readClasses } from '../../attacks/support/labels.ts';
import type { Attack, AttackProgress, Classifier, Cost, NormName } from '../../attacks/types.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { foldIn, type Key, seedKey } from '../core/key.ts';
import { yieldToEvents } from '../core/yield-to-events.ts';
import { batchesOf, batchImages, batchLabels } from '../data/batch.ts';
import { testIndices } from '../data/split.ts';
import type { Dataset } from '../data/types.ts';
import { type Alarm, type AttackEvidence, checkAlarms, type Evidence, needsNoGradient } from './alarms/alarms.ts';
import { probeModel } from './alarms/probe.ts';
import { type AttackSpec, attackLabel, attackSettings, buildAttack } from './attacks/named-attacks.ts';
import { checkEpsilon } from './epsilon.ts';
import { type Accuracy, accuracyOf } from './intervals.ts';
import { packBits } from './results/bits.ts';
import { withUnions } from './results/union.ts';
import { shortSquare } from './short-square.ts';
import { predict } from './targets/predict.ts';
import type { AttackResult } from './types.ts';

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
  /** Whether the model turned out to return probabilities; asked after the attacks. */
  readonly returnsProbabilities?: () => boolean;
  /** Called with the accuracy without attack, before any attack; may throw to stop. */
  readonly onClean?: (clean: Accuracy) => Promise<void>;
  /** Called with the examples of each attack, borrowed, as they are made. */
  readonly onExamples?: (examples: AttackedBatch) => Promise<void>;
  /** Where an interrupted measurement goes on. */
  readonly from?: MeasureState;
  /** Called after each attack on a batch, with what it takes to go on from there. */
  readonly onState?: (state: MeasureState) => Promise<void>;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  /** Called after every step of an attack. */
  readonly onStep?: (step: EvaluationStep) => void;
  /** Stops the measurement within one call of the model; attacks on batches that were done are kept. */
  readonly signal?: AbortSignal;
}

/** How far an evaluation is. */
export interface EvaluationProgress {
  /** Images done and to do, each counted once an attack and radius; those that are wrong anyway are done at once. */
  readonly done: number;
  readonly total: number;
  /** Accuracies over the images done so far: without attack, and under every attack of the first radius above 0. */
  readonly clean: number;
  /** Null while the first batch is under attack. */
  readonly robust: number | null;
}

/** What an evaluation is doing: how far an attack on a batch is, and how much work of all that means. */
export interface EvaluationStep extends AttackProgress {
  readonly epsilon: number;
  /**
   * Work done, of `total` to do, in the units of `EvaluationProgress`, but an attack counts by its share of the work. It is
   * a fraction while an attack runs. An image that needs no more of an attack is done at once.
   */
  readonly done: number;
  readonly total: number;
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

/** Examples that one attack made of a batch. */
export interface AttackedBatch {
  readonly attack: string;
  readonly norm: NormName;
  readonly epsilon: number;
  /** How many images, of those that are right without attack, come before these; and how many there are. */
  readonly start: number;
  readonly total: number;
  /** Their numbers in the test split. */
  readonly samples: readonly number[];
  /** [batch, height, width, channels], borrowed. */
  readonly adversarial: Tensor4D;
  /** Whether the model still classifies each right. */
  readonly survived: readonly boolean[];
}

/** What has been found of one attack at one radius. */
export interface CellState {
  /** By evaluated image: 1 where it is right clean and under attack. */
  readonly survived: Uint8Array;
  /** Of a cascade, by its attacks: where images stand after it and all before. */
  readonly standing: Readonly<Record<string, Uint8Array>>;
  readonly cost: Cost;
}

/** All that has been found so far. */
export interface MeasureState {
  /** By evaluated image: the class without attack; −1 where the model gave no numbers. */
  readonly predictions: Int32Array;
  /** Attacks on batches that are done: all cells of the first batch, then those of the second, and so on. */
  readonly done: number;
  /** In order of the radii, each with its attacks in order. */
  readonly cells: readonly CellState[];
  readonly seen: Seen;
}

/** What the alarms look at as images are attacked. */
type Seen = Pick<Evidence, 'outside' | 'successes' | 'unstable' | 'nonFinite'>;

const NOTHING_SEEN: Seen = { outside: 0, successes: 0, unstable: 0, nonFinite: 0 };

/** One attack at one radius. */
interface Cell {
  readonly spec: AttackSpec;
  readonly label: string;
  readonly epsilon: number;
  /** Null at radius 0. */
  readonly attack: Attack | null;
  readonly key: Key;
}

/**
 * Clean accuracy of a classifier, its accuracy under each attack at each radius and, by image, under their union.
 *
 * An image counts as right under attack where it is right both clean and attacked; images misclassified without attack
 * are not attacked. Random choices depend on the seed, the attack and the image's number only. However many images there
 * are, only one batch of them is on the backend at a time.
 *
 * @throws InputError for options out of range
 */
export async function measure(
  model: Classifier,
  dataset: EvaluatedSplit,
  options: MeasureOptions,
): Promise<Measurement> {
  const { norm, batchSize = 256, seed = 0, signal, onProgress, onStep } = options;
  const { test, imageShape, classes } = dataset;
  const indices = testIndices(test, options.limit);
  const n = indices.length;
  checkOptions(options, n);
  const key = foldIn(seedKey(seed), 'attack');
  const cells = cellsOf(options, key);
  const labels = await readClasses(
    'labels of the test split',
    Array.from(indices, (index) => test.labels[index]),
  );
  checkKnown('labels of the test split', labels, classes.length);

  let state = options.from ?? {
    predictions: await predictAll(model, dataset, indices, batchSize, (done, right) => {
      onProgress?.({ done: 0, total: n * cells.length, clean: right / done, robust: null });
      signal?.throwIfAborted();
    }),
    done: 0,
    cells: cells.map(() => noneYet(n)),
    seen: NOTHING_SEEN,
  };
  const places = Int32Array.from(indices.keys()).filter((i) => state.predictions[i] === labels[i]);
  const clean = accuracyOf(places.length, n);
  await options.onClean?.(clean);

  const batches = batchesOf(places, batchSize);
  const shown = shownCells(cells);
  const tell = (): void => {
    const attacked = Math.floor(state.done / cells.length);
    const finished = Math.min(places.length, attacked * batchSize);
    const under = batches[attacked]?.length ?? 0;
    onProgress?.({
      done: (n - places.length + finished) * cells.length + under * (state.done % cells.length),
      total: n * cells.length,
      clean: clean.value,
      robust:
        finished === 0 ? null : (clean.value * countStanding(state, shown, places.subarray(0, finished))) / finished,
    });
  };
  tell();
  const works = cells.map(({ attack }) => (attack === null ? 0 : workOf(attack, classes.length)));
  /** Tells how far cell `i` is with the batch that comes after `finished` images. */
  const tellStep = (i: number, finished: number, count: number, progress: AttackProgress): void => {
    const work = sumOf(works);
    const before = (n - places.length + finished) * work + count * sumOf(works.slice(0, i));
    const own = works[i] * (count - progress.left + progress.left * progress.share);
    onStep?.({
      ...progress,
      attack: progress.attack === cells[i].attack?.name ? cells[i].label : `${cells[i].label}: ${progress.attack}`,
      epsilon: cells[i].epsilon,
      done: ((before + own) / work) * cells.length,
      total: n * cells.length,
    });
  };
  for (const [number, batch] of batches.entries()) {
    if (state.done >= (number + 1) * cells.length) continue;
    const samples = Array.from(batch, (place) => indices[place]);
    const images = batchImages(test, samples, imageShape);
    try {
      for (let i = state.done % cells.length; i < cells.length; i++) {
        signal?.throwIfAborted();
        const found = await attackBatch(
          model,
          cells[i],
          images,
          {
            test,
            batch,
            samples,
            first: number === 0,
            signal,
            onProgress: onStep && ((progress) => tellStep(i, number * batchSize, batch.length, progress)),
          },
          (made) =>
            options.onExamples?.({
              attack: cells[i].label,
              norm,
              epsilon: cells[i].epsilon,
              start: number * batchSize,
              total: places.length,
              samples,
              ...made,
            }),
        );
        state = advanced(state, i, batch, found);
        await options.onState?.(state);
        tell();
        // Lets Ctrl-C and timers in.
        await yieldToEvents();
      }
    } finally {
      images.dispose();
    }
  }

  const first = batchImages(test, indices.subarray(0, PROBED), imageShape);
  const { probe, cost, beside } = await (async () => {
    try {
      return {
        ...(await probeModel(model, first, labels, key, signal)),
        beside: await squareBeside(model, first, labels, cells, state, { norm, key: foldIn(key, 'beside'), signal }),
      };
    } finally {
      first.dispose();
    }
  })();
  return {
    clean,
    attacks: withUnions(cells.map((cell, i) => resultOf(cell, state.cells[i], norm))),
    alarms: checkAlarms({
      classes: classes.length,
      predictions: state.predictions,
      returnsProbabilities: options.returnsProbabilities?.() ?? false,
      attacks: cells.map((cell, i) => evidenceOf(cell, state.cells[i], norm)),
      shortSquare: beside?.found ?? null,
      probe,
      ...state.seen,
    }),
    // Once for the accuracy without attack, and again for the examples that fooled the model in the first batch.
    ...[cost, beside?.cost ?? NO_COST, ...state.cells.map((cell) => cell.cost)].reduce(addCosts, {
      forwardPasses: n + state.seen.successes,
      inputGradients: 0,
    }),
  };
}

/** A short Square attack on the first images that every attack at the largest radius left right, if none of these was of its kind. */
async function squareBeside(
  model: Classifier,
  first: Tensor4D,
  labels: Int32Array,
  cells: readonly Cell[],
  state: MeasureState,
  options: Pick<Parameters<typeof shortSquare>[4], 'norm' | 'key' | 'signal'>,
): Promise<Awaited<ReturnType<typeof shortSquare>> | null> {
  const epsilon = Math.max(...cells.map((cell) => cell.epsilon));
  if (epsilon === 0 || options.norm === 'l1' || cells.some(({ spec }) => needsNoGradient(spec))) return null;
  const left = Array.from({ length: first.shape[0] }, (_, place) => place).filter((place) =>
    cells.every((cell, i) => cell.epsilon < epsilon || state.cells[i].survived[place]),
  );
  return shortSquare(model, first, labels, left, { ...options, epsilon });
}

/** How many images the alarms that need extra work look at. */
const PROBED = 64;

const cellsOf = ({ epsilons, attacks, norm }: MeasureOptions, key: Key): Cell[] =>
  epsilons.flatMap((epsilon) =>
    attacks.map((spec): Cell => {
      const label = attackLabel(spec);
      const attack = epsilon === 0 ? null : buildAttack(spec, norm, epsilon);
      return { spec, label, epsilon, attack, key: foldIn(key, label) };
    }),
  );

const noneYet = (n: number): CellState => ({
  survived: new Uint8Array(n),
  standing: {},
  cost: NO_COST,
});

/** The classes of all images, batch by batch. */
async function predictAll(
  model: Classifier,
  { test, imageShape }: EvaluatedSplit,
  indices: Int32Array,
  batchSize: number,
  onBatch: (done: number, right: number) => void,
): Promise<Int32Array> {
  const predictions = new Int32Array(indices.length);
  let done = 0;
  let right = 0;
  for (const batch of batchesOf(indices, batchSize)) {
    const images = batchImages(test, batch, imageShape);
    const found = await predict(model, images).finally(() => images.dispose());
    predictions.set(found, done);
    done += batch.length;
    right += found.filter((prediction, i) => prediction === test.labels[batch[i]]).length;
    onBatch(done, right);
    await yieldToEvents();
  }
  return predictions;
}

/** What one attack did to a batch. */
interface Found {
  readonly survived: readonly boolean[];
  readonly standing: Readonly<Record<string, readonly boolean[]>>;
  readonly cost: Cost;
  readonly seen: Seen;
}

interface Batch extends Pick<UnderAttackOptions, 'signal' | 'onProgress'> {
  readonly test: EvaluatedSplit['test'];
  /** Places among the evaluated images. */
  readonly batch: Int32Array;
  readonly samples: readonly number[];
  readonly first: boolean;
}

async function attackBatch(
  model: Classifier,
  { attack, epsilon, key }: Cell,
  images: Tensor4D,
  { test, batch, samples, first, signal, onProgress }: Batch,
  onExamples: (made: Pick<AttackedBatch, 'adversarial' | 'survived'>) => Promise<void> | undefined,
): Promise<Found> {
  if (attack === null) {
    return { survived: Array.from(batch, () => true), standing: {}, cost: NO_COST, seen: NOTHING_SEEN };
  }
  const labels = batchLabels(test, samples);
  try {
    const made = await underAttack(model, attack, images, labels, { key, samples, signal, onProgress });
    const { adversarial, survived, standing = {}, nonFiniteGradients: nonFinite } = made;
    try {
      await onExamples({ adversarial, survived });
      const outside = await countOutside(images, adversarial, attack.norm, epsilon);
      const fooled = [...survived.keys()].filter((i) => !survived[i]);
      if (!first || fooled.length === 0)
        return { survived, standing, cost: made.cost, seen: { ...NOTHING_SEEN, outside, nonFinite } };
      const unstable = await countUnstable(model, adversarial, fooled, (i) => test.labels[samples[i]]);
      return { survived, standing, cost: made.cost, seen: { outside, successes: fooled.length, unstable, nonFinite } };
    } finally {
      adversarial.dispose();
    }
  } finally {
    labels.dispose();
  }
}

/** The state after cell `index` has attacked a batch. */
function advanced(state: MeasureState, index: number, batch: Int32Array, found: Found): MeasureState {
  const { survived, standing, cost } = state.cells[index];
  const marked = (before: Uint8Array | undefined, flags: readonly boolean[]): Uint8Array => {
    const after = before?.slice() ?? new Uint8Array(survived.length);
    flags.forEach((flag, i) => {
      after[batch[i]] = flag ? 1 : 0;
    });
    return after;
  };
  const cell: CellState = {
    survived: marked(survived, found.survived),
    standing: Object.fromEntries(
      Object.entries(found.standing).map(([name, flags]) => [name, marked(standing[name], flags)]),
    ),
    cost: addCosts(cost, found.cost),
  };
  return {
    ...state,
    done: state.done + 1,
    cells: state.cells.with(index, cell),
    seen: {
      outside: state.seen.outside + found.seen.outside,
      successes: state.seen.successes + found.seen.successes,
      unstable: state.seen.unstable + found.seen.unstable,
      nonFinite: state.seen.nonFinite + found.seen.nonFinite,
    },
  };
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

/** The cells of the first radius above 0, by which progress is shown. */
function shownCells(cells: readonly Cell[]): readonly number[] {
  const epsilon = cells.find((cell) => cell.epsilon > 0)?.epsilon ?? 0;
  return [...cells.keys()].filter((i) => cells[i].epsilon === epsilon);
}

/** How many of the images at these places survived all of these cells. */
const countStanding = ({ cells }: MeasureState, shown: readonly number[], places: Int32Array): number =>
  places.filter((place) => shown.every((i) => cells[i].survived[place])).length;

const sumOf = (values: Uint8Array | readonly number[]): number =>
  (values as readonly number[]).reduce((a, b) => a + b, 0);

const resultOf = (
  { spec, label, epsilon }: Cell,
  { survived, standing, cost }: CellState,
  norm: NormName,
): AttackResult => ({
  attack: label,
  norm,
  epsilon,
  ...attackSettings(spec, epsilon),
  robust: accuracyOf(sumOf(survived), survived.length),
  survived: packBits(survived),
  ...(Object.keys(standing).length === 0
    ? {}
    : {
        stages: Object.entries(standing).map(([attack, left]) => ({
          attack,
          robust: accuracyOf(sumOf(left), left.length),
          survived: packBits(left),
        })),
      }),
  ...cost,
});

const evidenceOf = (
  { spec, label, epsilon }: Cell,
  { survived, standing }: CellState,
  norm: NormName,
): AttackEvidence => {
  const { steps, restarts } = attackSettings(spec, epsilon);
  return {
    attack: label,
    kind: spec.kind,
    loss: spec.loss ?? null,
    norm,
    epsilon,
    work: (steps ?? 1) * (restarts ?? 1),
    correct: sumOf(survived),
    n: survived.length,
    stages: Object.entries(standing).map(([attack, left]) => ({ attack, correct: sumOf(left) })),
  };
};

function checkOptions({ epsilons, attacks, batchSize, limit, norm }: MeasureOptions, n: number): void {
  if (attacks.length === 0) throw new InputError('An evaluation needs at least one attack; none came.');
  if (epsilons.length === 0) throw new InputError('An evaluation needs at least one epsilon; none came.');
  for (const epsilon of epsilons) {
    checkEpsilon(norm, epsilon);
  }
  for (const [flag, value] of Object.entries({ '--batch-size': batchSize, '--test-limit': limit })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new UsageError(`${flag} must be a whole number of at least 1; ${value} came.`);
    }
  }
  if (n === 0) throw new InputError('The split to evaluate on has no images.');
}
