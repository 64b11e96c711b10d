// Attacks whose examples are made of bytes, so that they survive being saved as images.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import { addCosts, NO_COST } from './loops/costs.ts';
import { disposeGoal, goalTensors, type ReadGoal, readGoal, takeGoal } from './loops/goals.ts';
import { checkPerturb, checkStart, pixelsOf, samplesOf, sizeOf } from './loops/problem.ts';
import { takeRows } from './loops/rows.ts';
import { judge } from './measure/success.ts';
import { type Norm, norms } from './norms/index.ts';
import { checkImages, readPixels } from './support/images.ts';
import { count, pixelBounds, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import { holding } from './support/tensor-scope.ts';
import { turns } from './support/yielding.ts';
import type { Attack, AttackedModel, AttackProgress, NormName, PerturbOptions } from './types.ts';

export const QUANTISED_OPTIONS = {
  /** Values that a pixel may have, evenly from the lowest to the highest; default 256, those of a byte. */
  levels: count(256, 2),
  /** What the attack is called in results; default the attack's name with `-uint8` after it. */
  name: title('uint8'),
  /** The lowest and the highest value of a pixel, those of the attack; default [0, 1]. */
  bounds: pixelBounds,
} as const satisfies OptionTable;

/** Options of `quantised`. */
export type QuantisedOptions = OptionsOf<typeof QUANTISED_OPTIONS>;

/**
 * An attack whose examples survive being saved as images of bytes: every pixel has one of `levels` values, the float32
 * number nearest to low + (high − low) · k / 255. The ball holds in whole levels: the distance of the k, times
 * (high − low) / 255, is at most epsilon.
 *
 * An example is rounded to the nearest levels, or away from its image, or towards it: the first after which it still
 * meets the goal, by the model's own prediction. Where none does, the attack runs once more in mode `train`, which goes
 * deeper than the first success. Where that fails too, the nearest levels come back.
 *
 * Throws InputError for images that are not made of such levels themselves.
 */
export function quantised(attack: Attack, options: QuantisedOptions = {}): Attack {
  const { name, levels, bounds } = readOptions('quantised', options, {
    ...QUANTISED_OPTIONS,
    name: title(`${attack.name}-uint8`),
  });
  const { norm, epsilon } = attack;
  const unit = (bounds[1] - bounds[0]) / (levels - 1);
  const grid: Grid = {
    norm,
    low: bounds[0],
    range: bounds[1] - bounds[0],
    unit,
    radius: epsilon === null ? null : epsilon / unit,
    top: levels - 1,
  };
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) => {
      const once = attack.budget?.(classes) ?? NO_COST;
      // Each time the example is looked at as it is and rounded in three ways.
      return [once, once].reduce(addCosts, { forwardPasses: 8, inputGradients: 0 });
    },
    perturb: async (model, images, goal, given = {}) => {
      checkPerturb(given);
      checkImages(images);
      checkStart(given.start, images);
      const pixels = await readPixels(images, bounds);
      checkLevels(pixels, grid);
      const [batch] = images.shape;
      const wanted = await readGoal(goal, batch);
      const turn = turns(given.signal);
      const problem = { attack, model, images, pixels, wanted, samples: samplesOf(given, batch), given, turn };
      const result = Float32Array.from(pixels);
      const everyImage = Array.from({ length: batch }, (_, image) => image);
      const failed = await attackAndRound(problem, grid, given.mode ?? 'evaluate', everyImage, result);
      if (given.mode !== 'train') await attackAndRound(problem, grid, 'train', failed, result);
      return tf.tensor4d(result, images.shape);
    },
  };
}

interface Grid {
  readonly norm: NormName;
  readonly low: number;
  readonly range: number;
  /** The distance of two levels. */
  readonly unit: number;
  /** Epsilon in levels. */
  readonly radius: number | null;
  readonly top: number;
}

interface Problem {
  readonly attack: Attack;
  readonly model: AttackedModel;
  readonly images: Tensor4D;
  readonly pixels: Float32Array;
  readonly wanted: ReadGoal;
  readonly samples: readonly number[];
  readonly given: PerturbOptions;
  readonly turn: () => Promise<void>;
}

/** Attacks some images and writes what rounding leaves of it to `result`; returns those that it no longer solves. */
const attackAndRound = (
  { attack, model, images, pixels, wanted, samples, given, turn }: Problem,
  grid: Grid,
  mode: 'evaluate' | 'train',
  which: readonly number[],
  result: Float32Array,
): Promise<readonly number[]> =>
  holding(async ({ hold }) => {
    if (which.length === 0) return [];
    const { shape } = images;
    const size = sizeOf(shape);
    const all = hold(takeRows(images, which));
    const solves = async (adversarial: Tensor4D, of: readonly number[]) => {
      given.onCost?.({ forwardPasses: of.length, inputGradients: 0 });
      const { solved } = await judge(model, adversarial, takeGoal(wanted, of), turn);
      return solved;
    };
    // In mode `evaluate` the attack runs twice.
    const again = mode === 'train' && given.mode !== 'train';
    const tell = (progress: AttackProgress) =>
      given.onProgress?.({
        ...progress,
        share: given.mode === 'train' ? progress.share : (Number(again) + progress.share) / 2,
      });
    const goal = goalTensors(takeGoal(wanted, which));
    let adversarial: Tensor4D;
    try {
      adversarial = hold(
        await attack.perturb(model, all, goal, {
          ...given,
          onProgress: given.onProgress && tell,
          mode,
          samples: which.map((i) => samples[i]),
          start: given.start && hold(takeRows(given.start, which)),
        }),
      );
    } finally {
      disposeGoal(goal);
    }
    const examples = Float32Array.from(await adversarial.data());
    const flags = await solves(adversarial, which);
    let open = which.flatMap((image, row) => (flags[row] ? [{ image, example: pixelsOf(examples, shape, row) }] : []));
    which.forEach((image, row) => {
      if (!flags[row]) {
        const example = pixelsOf(examples, shape, row);
        result.set(roundTo(grid, 'nearest', pixelsOf(pixels, shape, image), example), image * size);
      }
    });
    for (const rounding of ROUNDINGS) {
      if (open.length === 0) break;
      const rounded = new Float32Array(open.length * size);
      open.forEach(({ image, example }, row) => {
        rounded.set(roundTo(grid, rounding, pixelsOf(pixels, shape, image), example), row * size);
      });
      const tensor = hold(tf.tensor4d(rounded, [open.length, shape[1], shape[2], shape[3]]));
      const still = await solves(
        tensor,
        open.map(({ image }) => image),
      );
      tensor.dispose();
      open.forEach(({ image }, row) => {
        if (still[row] || rounding === 'nearest') result.set(pixelsOf(rounded, shape, row), image * size);
      });
      open = open.filter((_, row) => !still[row]);
    }
    return open.map(({ image }) => image);
  });

/** How the change of a pixel, in levels, becomes whole. */
const ROUNDINGS = ['nearest', 'away', 'towards'] as const;

const whole = {
  nearest: Math.round,
  away: (change) => Math.sign(change) * Math.ceil(Math.abs(change) - SLACK),
  towards: (change) => Math.sign(change) * Math.floor(Math.abs(change) + SLACK),
} as const satisfies Readonly<Record<(typeof ROUNDINGS)[number], (change: number) => number>>;

/** Rounding in float32, in levels: what is nearer to one than this is meant to be there. */
const SLACK = 1e-3;

/** An example with every pixel on a level, inside the ball. */
function roundTo(
  { norm, low, range, unit, radius, top }: Grid,
  rounding: (typeof ROUNDINGS)[number],
  image: Float32Array,
  example: Float32Array,
): Float32Array {
  const levels = Int32Array.from(image, (pixel) => Math.round((pixel - low) / unit));
  const wanted = Float64Array.from(example, (pixel, i) => (pixel - low) / unit - levels[i]);
  const { sum } = norms[norm];
  const farthest = sum === null && radius !== null ? Math.floor(radius + SLACK) : top;
  const changes = Int32Array.from(wanted, (change, i) => {
    const limited = Math.min(Math.max(whole[rounding](change), -farthest), farthest);
    return Math.min(Math.max(limited, -levels[i]), top - levels[i]);
  });
  if (radius !== null && sum !== null) shorten(sum, radius, changes, wanted);
  // An unchanged pixel keeps the very number that it has.
  return image.map((pixel, i) => (changes[i] === 0 ? pixel : low + (range * (levels[i] + changes[i])) / top));
}

/** Takes back roundings away from the image, the largest first, then whole levels, until the change is in the ball. */
function shorten(
  { term, total: most }: NonNullable<Norm['sum']>,
  radius: number,
  changes: Int32Array,
  wanted: Float64Array,
): void {
  const gain = (i: number) => Math.abs(changes[i]) - Math.abs(wanted[i]);
  // Sums of whole numbers, so exact however often they change.
  const limit = most(radius * (1 + 1e-6));
  let total = changes.reduce((sum, change) => sum + term(change), 0);
  while (total > limit) {
    const order = Array.from(changes.keys())
      .filter((i) => changes[i] !== 0)
      .sort((a, b) => gain(b) - gain(a) || a - b);
    for (const i of order) {
      if (total <= limit) return;
      total -= term(changes[i]);
      changes[i] -= Math.sign(changes[i]);
      total += term(changes[i]);
    }
  }
}

function checkLevels(pixels: Float32Array, { low, unit, top }: Grid): void {
  const between = pixels.findIndex(
    (pixel) => Math.abs((pixel - low) / unit - Math.round((pixel - low) / unit)) > SLACK,
  );
  if (between >= 0) {
    throw new InputError(
      `Expected images whose pixels are among the ${top + 1} levels low + (high − low) · k / ${top}, got a pixel of ` +
        `${pixels[between]}. Attack the images as they were read from bytes, before they are resized or normalised.`,
    );
  }
}
