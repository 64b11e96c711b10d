// Compares a model's gradient with what its outputs do: small steps along the gradient and along random directions, sized by
// the rounding of the model's own outputs. The alarm 'wrong gradient' reads the result.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { lossGradient } from '../../../attacks/index.ts';
import { sizeOfLogits } from '../../../attacks/loops/float-noise.ts';
import { logitDifference } from '../../../attacks/losses.ts';
import { turns } from '../../../attacks/support/yielding.ts';
import type { Classifier, Cost } from '../../../attacks/types.ts';
import { foldIn, integers, type Key, normal, uniform } from '../../core/key.ts';
import { logitsOf } from '../targets/predict.ts';

/** How many images agree with their gradients. */
export interface GradientCheck {
  /** Images that were looked at, and those of them at which the gradient is zero. */
  readonly images: number;
  readonly zero: number;
  /** Images whose outputs change by enough, beyond rounding, to conclude anything. */
  readonly checked: number;
  /** Images whose outputs change by other amounts than the gradient says. */
  readonly wrong: number;
}

/** True if so many images disagree with their gradients that attacks cannot rely on them. */
export const isWrong = ({ checked, wrong }: Pick<GradientCheck, 'checked' | 'wrong'>): boolean =>
  wrong > Math.max(1, 0.25 * checked);

/** What is known of one image along one direction. */
interface Slope {
  /** What the gradient predicts for a step of 1. */
  readonly predicted: number;
  /** What central differences found with steps of several sizes. */
  readonly differences: readonly { readonly slope: number; readonly error: number }[];
}

/** The number of images that are checked, the first ones. */
const IMAGES = 16;
const RANDOM_DIRECTIONS = 4;
/** The smallest step changes the output by this many times its rounding. The other steps are 4 and 16 times as long. */
const SIGNAL = 64;
const STEPS = [1, 4, 16] as const;
/** No pixel moves further: about four of 255 levels. */
const MOST = 1 / 64;
/** Pixels that are moved to find the rounding of the output are moved by this in each of six steps. */
const TINY = 2 ** -20;
/** A slope that is further from the predicted one than this, relative to the larger, counts as another slope. */
const TOLERANCE = 0.25;

/**
 * The gradient of the margin between the two largest logits of each image against central differences,
 * (f(x + h·d) − f(x − h·d)) / 2h, along the gradient and along random directions d. The margin, unlike the cross-entropy,
 * does not saturate.
 *
 * Images are first moved by up to 8/255 at random, to leave points at which many activations or maxima are exactly equal.
 * Steps are chosen by the rounding of the output, which differences of third order measure (Moré and Wild 2011,
 * doi:10.1137/100786125). The second difference of a step bounds what a kink and curvature contribute: at a kink the slope is
 * between those of the two sides. The middle one of three steps counts.
 *
 * @param images [batch, height, width, channels], borrowed
 */
export async function checkGradient(
  model: Classifier,
  images: Tensor4D,
  key: Key,
  signal?: AbortSignal,
): Promise<{ readonly found: GradientCheck; readonly cost: Cost }> {
  const count = Math.min(IMAGES, images.shape[0]);
  const shape: Tensor4D['shape'] = [count, images.shape[1], images.shape[2], images.shape[3]];
  const size = shape[1] * shape[2] * shape[3];
  const first = tf.slice(images, 0, count);
  const start = awayFromTies(await first.data<'float32'>().finally(() => first.dispose()), foldIn(key, 'start'));

  let forwardPasses = 0;
  const turn = turns(signal);
  /** The logits at `start + step · direction`, with a step for each image. */
  const logitsAt = async (direction: Float32Array, step: (image: number) => number): Promise<Float32Array> => {
    await turn();
    forwardPasses += count;
    const moved = tf.tensor4d(
      start.map((pixel, i) => pixel + step(Math.floor(i / size)) * direction[i]),
      shape,
    );
    return logitsOf(model, moved).finally(() => moved.dispose());
  };
  const noWay = new Float32Array(start.length);
  const origin = await logitsAt(noWay, () => 0);
  const classes = origin.length / count;
  if (classes < 2) {
    return { found: { images: count, zero: 0, checked: 0, wrong: 0 }, cost: { forwardPasses, inputGradients: 0 } };
  }
  const pairs = Array.from({ length: count }, (_, i) => largestTwo(origin.subarray(i * classes, (i + 1) * classes)));
  /** z_second − z_first of each image, by its classes at the start. */
  const marginsOf = (logits: Float32Array): number[] =>
    pairs.map(([one, two], i) => logits[i * classes + two] - logits[i * classes + one]);
  const marginsAt = async (direction: Float32Array, step: (image: number) => number): Promise<number[]> =>
    marginsOf(await logitsAt(direction, step));

  const gradient = await gradientOfMargin(model, start, shape, pairs);
  const lengths = eachImage(gradient, size).map(norm);
  const center = marginsOf(origin);
  const scales = eachImage(origin, classes).map(sizeOfLogits);
  const random = Array.from({ length: RANDOM_DIRECTIONS }, (_, i) =>
    normal(foldIn(foldIn(key, 'direction'), i), start.length),
  );

  const noise = await roundingOf((step) => marginsAt(random[0], () => step * TINY), center, scales);

  /** Central differences along a direction along which an image's output changes by about `rates[image]` a unit. */
  const slopesAlong = async (direction: Float32Array, rates: readonly number[]): Promise<Slope[]> => {
    const reaches = eachImage(direction, size).map((part) => part.reduce((most, d) => Math.max(most, Math.abs(d)), 0));
    const shortest = rates.map((rate, i) =>
      Math.min((SIGNAL * noise[i]) / rate, MOST / (STEPS[STEPS.length - 1] * reaches[i])),
    );
    const found: Slope['differences'][number][][] = pairs.map(() => []);
    for (const multiple of STEPS) {
      const steps = shortest.map((step) => multiple * step);
      const ahead = await marginsAt(direction, (i) => steps[i]);
      const behind = await marginsAt(direction, (i) => -steps[i]);
      for (const [i, step] of steps.entries()) {
        found[i].push({
          slope: (ahead[i] - behind[i]) / (2 * step),
          error: (Math.abs(ahead[i] - 2 * center[i] + behind[i]) / 2 + 4 * noise[i]) / step,
        });
      }
    }
    const products = eachImage(gradient, size).map((slopes, i) => dot(slopes, eachImage(direction, size)[i]));
    return products.map((predicted, i) => ({ predicted, differences: found[i] }));
  };

  const unit = gradient.map((slope, i) => slope / (lengths[Math.floor(i / size)] || 1));
  const along = await slopesAlong(unit, lengths);
  const across: Slope[][] = [];
  for (const direction of random) across.push(await slopesAlong(direction, lengths));
  const verdicts = pairs.map((_, i) => {
    if (!Number.isFinite(lengths[i])) return 'unknown';
    return worse(lengths[i] === 0 ? 'unknown' : verdictOf([along[i]]), verdictOf(across.map((slopes) => slopes[i])));
  });
  return {
    found: {
      images: count,
      zero: lengths.filter((length) => length === 0).length,
      checked: verdicts.filter((verdict) => verdict !== 'unknown').length,
      wrong: verdicts.filter((verdict) => verdict === 'wrong').length,
    },
    cost: { forwardPasses: forwardPasses + count, inputGradients: count },
  };
}

type Verdict = 'right' | 'wrong' | 'unknown';

const worse = (a: Verdict, b: Verdict): Verdict =>
  a === 'wrong' || b === 'wrong' ? 'wrong' : a === 'unknown' || b === 'unknown' ? (a === b ? a : 'right') : 'right';

/** What the slopes of one image say together: the middle one of what each size of step says. */
function verdictOf(slopes: readonly Slope[]): Verdict {
  const judged = STEPS.map((_, step) => {
    const scale = norm(
      slopes.map(({ predicted, differences }) => Math.max(Math.abs(predicted), Math.abs(differences[step].slope))),
    );
    if (scale === 0) return { excess: 0, error: 0 };
    const excess = slopes.map(({ predicted, differences }) =>
      Math.max(0, Math.abs(differences[step].slope - predicted) - differences[step].error),
    );
    return {
      excess: norm(excess) / scale,
      error: norm(slopes.map(({ differences }) => differences[step].error)) / scale,
    };
  });
  if (!judged.every(({ excess, error }) => Number.isFinite(excess) && Number.isFinite(error))) return 'unknown';
  if (median(judged.map(({ excess }) => excess)) > TOLERANCE) return 'wrong';
  return Math.min(...judged.map(({ error }) => error)) < 0.5 ? 'right' : 'unknown';
}

/**
 * Pixels near whole levels of 255: each moved by up to 8 levels, none nearer than 8 levels to black or white, then by less
 * than a quarter of a level. The fractions keep any two pixels of a pooling window from being equal, and stay within what
 * rounds to the same level.
 */
function awayFromTies(pixels: Float32Array, key: Key): Float32Array {
  const moves = integers(key, pixels.length, 17);
  const fractions = uniform(foldIn(key, 'fractions'), pixels.length, -0.25, 0.25);
  return pixels.map((pixel, i) => Math.min(239, Math.max(16, 255 * pixel)) / 255 + (moves[i] - 8 + fractions[i]) / 255);
}

/** ∂ (z_second − z_first) / ∂ pixels of each image. */
async function gradientOfMargin(
  model: Classifier,
  start: Float32Array,
  shape: Tensor4D['shape'],
  pairs: readonly (readonly [number, number])[],
): Promise<Float32Array> {
  const images = tf.tensor4d(start, shape);
  const labels = tf.tensor1d(
    pairs.map(([one]) => one),
    'int32',
  );
  const targets = tf.tensor1d(
    pairs.map(([, two]) => two),
    'int32',
  );
  try {
    const found = lossGradient(model, logitDifference, { kind: 'targeted', targets, labels }, images);
    return await found.gradient.data<'float32'>().finally(() => tf.dispose(Object.values(found)));
  } finally {
    tf.dispose([images, labels, targets]);
  }
}

/**
 * The rounding of each image's margin, as a standard deviation: from third differences of values at seven points so close
 * that nothing but rounding differs. It is the middle of all images' relative to the size of their logits, as an image may lie
 * beside a jump.
 */
async function roundingOf(
  marginsAt: (step: number) => Promise<readonly number[]>,
  center: readonly number[],
  scales: readonly number[],
): Promise<number[]> {
  const points: (readonly number[])[] = [];
  for (let step = -3; step <= 3; step++) points.push(step === 0 ? center : await marginsAt(step));
  const relative = scales.map((scale, image) => {
    const values = points.map((margins) => margins[image]);
    const thirds = [0, 1, 2, 3].map((i) => values[i + 3] - 3 * values[i + 2] + 3 * values[i + 1] - values[i]);
    // The binomials 1, 3, 3, 1 of a third difference multiply the variance by 20.
    return norm(thirds) / Math.sqrt(4 * 20) / scale;
  });
  const usual = median(relative.filter(Number.isFinite));
  return scales.map((scale) => scale * Math.max(usual, 2 ** -24) + Number.MIN_VALUE);
}

/** The classes of the two largest logits. */
function largestTwo(logits: Float32Array): readonly [number, number] {
  let [one, two] = logits[1] > logits[0] ? [1, 0] : [0, 1];
  for (let i = 2; i < logits.length; i++) {
    if (logits[i] > logits[one]) [one, two] = [i, one];
    else if (logits[i] > logits[two]) two = i;
  }
  return [one, two];
}

const eachImage = (values: Float32Array, size: number): readonly Float32Array[] =>
  Array.from({ length: values.length / size }, (_, i) => values.subarray(i * size, (i + 1) * size));

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
};

const norm = (values: ArrayLike<number>): number => Math.sqrt(dot(values, values));

/** 0 of none. */
const median = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
