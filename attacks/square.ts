// The Square attack.
import { foldIn, type Key, uniform } from '../src/core/key.ts';
import { timesCost } from './loops/costs.ts';
import { meets, takeGoal } from './loops/goals.ts';
import { type Attempt, type Clean, imageShape, type Problem, pixelsOf, streamOf } from './loops/problem.ts';
import { ask } from './loops/query.ts';
import { ledger, type Outcome, searching } from './loops/search.ts';
import { clip, lengthOf, scaleTo } from './norms/ball.ts';
import { type Norm, norms } from './norms/index.ts';
import { faces } from './norms/region.ts';
import { BALL_OPTIONS, count, flag, lossNamed, MODEL_OPTIONS, positive, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack, Bounds, Loss, NormName } from './types.ts';

export const SQUARE_OPTIONS = {
  /** What the attack is called in results; default `square`. */
  name: title('square'),
  ...BALL_OPTIONS,
  /** Images that the model is asked about in an attempt; default 5000. */
  queries: count(5000),
  /** The share p of pixels that the first squares cover, above 0 and at most 1; default 0.8. */
  initialShare: positive(0.8),
  /** True if the schedule of p is that of 10,000 queries shrunk to `queries`, or its beginning; default false. */
  rescale: flag(false),
  /** Attempts at each image, each with other random numbers; default 1. */
  restarts: count(1),
  /** What the attack increases, by name or the caller's own; no gradient is taken. Default `cw`. */
  loss: lossNamed('cw'),
  ...MODEL_OPTIONS,
} as const satisfies OptionTable;

/** Options of `square`. */
export type SquareOptions = OptionsOf<typeof SQUARE_OPTIONS>;

/**
 * The Square attack (Andriushchenko et al. 2020, arXiv:1912.00049): random search by squares at random places, which asks
 * only for logits. A query that raises the loss is kept. It starts at vertical stripes of ±ε in linf, at a grid of peaks
 * in l2 and l1. Each square is then a window of ±ε by channel in linf; in l2 and l1 (Croce and Hein 2021, arXiv:2103.01208)
 * it moves the perturbation of one window to another, as a pair of peaks of opposite sign. The share of pixels in a window falls from `initialShare` by the paper's schedule.
 *
 * In mode `evaluate` an image comes back at the first query that meets the goal, otherwise at that of highest loss; an
 * image that already meets it comes back unchanged. In mode `train` every query is asked.
 *
 * Throws InputError for options out of range.
 */
export function square(options: SquareOptions): Attack {
  const values = readOptions('square', options, SQUARE_OPTIONS);
  const { name, norm, epsilon, queries, initialShare, rescale, restarts, loss, eot, bounds } = values;
  const shareAt = (query: number) => initialShare / shrinking(rescale ? Math.floor((query / queries) * 10000) : query);
  const search = { norm, epsilon, queries, shareAt, loss, bounds };
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: () => timesCost(eot, { forwardPasses: 1 + restarts * queries, inputGradients: 0 }),
    perturb: searching({
      name,
      bounds,
      eot,
      attempts: () => restarts,
      run: (problem, clean, attempted) => run(search, problem, clean, attempted),
    }),
  };
}

const HALVINGS = [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000] as const;

/** The factor by which p has shrunk at a query, of 10,000. */
const shrinking = (query: number): number => 2 ** HALVINGS.filter((at) => query > at).length;

interface RandomSearch {
  readonly norm: NormName;
  readonly epsilon: number;
  readonly queries: number;
  /** The share of pixels in the window of a query. */
  readonly shareAt: (query: number) => number;
  readonly loss: Loss;
  readonly bounds: Bounds;
}

/** How an image is changed: both return new pixels inside the ball and the bounds. */
interface Strokes {
  readonly first: (key: Key) => Float32Array;
  readonly next: (key: Key, from: Float32Array, share: number) => Float32Array;
}

const strokes: { readonly [Norm in NormName]: (search: RandomSearch, shape: Shape, image: Float32Array) => Strokes } = {
  linf: facesInWindows,
  l2: peaks({
    fall: 2,
    // ‖δ‖² is a sum over pixels, and what is left of ε² goes to the channels in equal parts.
    lengthFor: (epsilon, whole, windows, channels) =>
      Math.sqrt(Math.max(epsilon ** 2 - whole ** 2, 0) / channels + windows ** 2),
    place: (perturbation, epsilon, image, bounds) => {
      const scale = scaleTo(epsilon, lengthOf(norms.l2, perturbation));
      return image.map((pixel, i) => clip(pixel + scale * perturbation[i], bounds));
    },
  }),
  l1: peaks({
    fall: 4,
    // Longer than what is left of ε, as in the authors' code: the projection makes the perturbation sparse.
    lengthFor: (epsilon, whole, windows, channels) => Math.max(epsilon - whole, 0) + channels * windows,
    place: (perturbation, _, image) => image.map((pixel, i) => pixel + perturbation[i]),
  }),
};

async function run(
  search: RandomSearch,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
): Promise<readonly Outcome[]> {
  const { goal, mode, shape, start } = problem;
  const { loss, norm, epsilon, bounds, queries, shareAt } = search;
  const book = ledger(problem);
  let rows = attempted.map((attempt) => {
    const image = pixelsOf(problem.pixels, shape, attempt.image);
    const stroke = strokes[norm](search, imageShape(shape), image);
    const key = streamOf(problem, attempt);
    let pixels = stroke.first(key);
    if (start) {
      pixels = Float32Array.from(pixelsOf(start, shape, attempt.image));
      norms[norm].ball(epsilon, bounds, image).project(pixels);
    }
    return { ...attempt, key, stroke, pixels, best: pixels, loss: Number.NEGATIVE_INFINITY };
  });
  for (let query = 0; query < queries && rows.length > 0; query++) {
    if (query > 0) {
      const share = shareAt(query - 1);
      for (const row of rows) row.pixels = row.stroke.next(foldIn(row.key, query), row.best, share);
    }
    const images = rows.map(({ image }) => image);
    const answers = await ask(problem, clean, { loss, goal: takeGoal(goal, images) }, rows);
    rows.forEach((row, i) => {
      const { image, restart } = row;
      if (answers[i].loss > row.loss || query === 0) {
        row.loss = answers[i].loss;
        row.best = row.pixels;
      }
      if (mode === 'evaluate' && meets(goal.kind, goal.classes[image], answers[i].prediction)) {
        book.settle({ image, restart, success: true, score: answers[i].loss, adversarial: row.pixels });
      }
    });
    rows = rows.filter(book.isOpen);
    problem.tell(query + 1, queries, rows);
  }
  for (const { image, restart, loss: score, best } of rows) {
    book.settle({ image, restart, success: false, score, adversarial: best });
  }
  return book.outcomes();
}

type Shape = readonly [height: number, width: number, channels: number];

/** A place of a window of `side` pixels along `length`, from u in [0, 1). */
const place = (u: number, length: number, side: number): number => Math.floor(u * (length - side + 1));

/** Linf: every pixel lies on a face of its ball, or of the bounds. */
function facesInWindows(
  { epsilon, bounds }: RandomSearch,
  [height, width, channels]: Shape,
  image: Float32Array,
): Strokes {
  const { lowest, highest } = faces(epsilon, bounds, image);
  return {
    first: (key) => {
      const signs = uniform(key, width * channels);
      return image.map((_, i) => (signs[i % (width * channels)] < 0.5 ? lowest : highest)[i]);
    },
    next: (key, from, share) => {
      const side = Math.min(Math.max(Math.round(Math.sqrt(share * height * width)), 1), height, width);
      const [down, right, ...signs] = uniform(key, 2 + channels);
      const [top, left] = [place(down, height, side), place(right, width, side)];
      const next = Float32Array.from(from);
      for (let y = top; y < top + side; y++) {
        for (let i = (y * width + left) * channels; i < (y * width + left + side) * channels; i++) {
          next[i] = (signs[i % channels] < 0.5 ? lowest : highest)[i];
        }
      }
      return next;
    },
  };
}

/** What sums of peaks are in a norm. */
interface Peaks {
  /** The power by which a peak falls off. */
  readonly fall: number;
  /** The length of the new perturbation of a channel's window, given that of the whole and of the channel in both windows. */
  readonly lengthFor: (epsilon: number, whole: number, windows: number, channels: number) => number;
  /** The image with a perturbation, before it is projected. */
  readonly place: (perturbation: Float32Array, epsilon: number, image: Float32Array, bounds: Bounds) => Float32Array;
}

/** L2 and l1: perturbations are sums of peaks, always as long as the ball allows. */
function peaks({ fall, lengthFor, place: placed }: Peaks) {
  return ({ norm: name, epsilon, bounds }: RandomSearch, shape: Shape, image: Float32Array): Strokes => {
    const [height, width, channels] = shape;
    const norm = norms[name];
    const ball = norm.ball(epsilon, bounds, image);
    const at = (y: number, x: number, channel: number) => (y * width + x) * channels + channel;

    /** The image with a perturbation, inside the ball and the bounds. */
    const apply = (perturbation: Float32Array): Float32Array => {
      const point = placed(perturbation, epsilon, image, bounds);
      ball.project(point);
      return point;
    };

    /** ‖δ‖ of a channel in the windows, in which a pixel of several counts once. */
    const lengthIn = (delta: Float32Array, channel: number, inside: readonly Window[]): number => {
      const values: number[] = [];
      inside.forEach(({ top, left, side }, number) => {
        const before = inside.slice(0, number);
        for (let y = top; y < top + side; y++) {
          for (let x = left; x < left + side; x++) {
            if (!before.some(contains(y, x))) values.push(delta[at(y, x, channel)]);
          }
        }
      });
      return lengthOf(norm, Float32Array.from(values));
    };

    return {
      first: (key) => {
        const side = Math.max(1, Math.floor(Math.min(height, width) / 5));
        const [rows, columns] = [Math.floor(height / side), Math.floor(width / side)];
        const [top, left] = [Math.floor((height - rows * side) / 2), Math.floor((width - columns * side) / 2)];
        const delta = new Float32Array(image.length);
        for (let tile = 0; tile < rows * columns; tile++) {
          const [turned, ...signs] = uniform(foldIn(foldIn(key, 'tile'), tile), 1 + channels);
          const peak = pairOfPeaks(norm, fall, side, turned < 0.5);
          const [y0, x0] = [top + Math.floor(tile / columns) * side, left + (tile % columns) * side];
          for (let i = 0; i < side * side; i++) {
            const [y, x] = [y0 + Math.floor(i / side), x0 + (i % side)];
            for (let channel = 0; channel < channels; channel++) {
              delta[at(y, x, channel)] = peak[i] * (signs[channel] < 0.5 ? -1 : 1);
            }
          }
        }
        return apply(delta);
      },
      next: (key, from, share) => {
        const odd = Math.max(Math.round(Math.sqrt(share * height * width)), 3) | 1;
        const side = Math.min(odd, height, width);
        const [down, right, downFrom, rightFrom, turned, ...signs] = uniform(key, 5 + channels);
        const to: Window = { top: place(down, height, side), left: place(right, width, side), side };
        const source: Window = { top: place(downFrom, height, side), left: place(rightFrom, width, side), side };
        const delta = from.map((pixel, i) => pixel - image[i]);
        const whole = lengthOf(norm, delta);
        const peak = pairOfPeaks(norm, fall, side, turned < 0.5);
        const next = Float32Array.from(delta);
        for (let channel = 0; channel < channels; channel++) {
          const sign = signs[channel] < 0.5 ? -1 : 1;
          const old = lengthIn(delta, channel, [to]) + 1e-12;
          const both = lengthIn(delta, channel, [to, source]);
          const mixed = peak.map((value, i) => value * sign + delta[within(to, i, channel)] / old);
          const scale = lengthFor(epsilon, whole, both, channels) / (lengthOf(norm, mixed) + 1e-12);
          for (let i = 0; i < side * side; i++) next[within(source, i, channel)] = 0;
          for (let i = 0; i < side * side; i++) next[within(to, i, channel)] = mixed[i] * scale;
        }
        return apply(next);
      },
    };

    function within({ top, left, side }: Window, i: number, channel: number): number {
      return at(top + Math.floor(i / side), left + (i % side), channel);
    }
  };
}

interface Window {
  readonly top: number;
  readonly left: number;
  readonly side: number;
}

const contains =
  (y: number, x: number) =>
  ({ top, left, side }: Window): boolean =>
    y >= top && y < top + side && x >= left && x < left + side;

/** Two peaks of opposite sign, one above or beside the other: a square of length 1, row-major. */
function pairOfPeaks(norm: Norm, fall: number, side: number, turned: boolean): Float32Array {
  const upper = Math.floor(side / 2);
  const pair = new Float32Array(side * side);
  for (const [top, height, sign] of [
    [0, upper, 1],
    [upper, side - upper, -1],
  ]) {
    const peak = unit(norm, centredPeak(fall, height, side));
    peak.forEach((value, i) => {
      const [y, x] = [top + Math.floor(i / side), i % side];
      pair[turned ? x * side + y : y * side + x] = sign * value;
    });
  }
  return unit(norm, pair);
}

/** Σ_k 1 / (k + 1)^fall over ever larger rectangles around the middle. */
function centredPeak(fall: number, height: number, width: number): Float32Array {
  const peak = new Float32Array(height * width);
  const [middleY, middleX] = [Math.floor(height / 2), Math.floor(width / 2)];
  for (let k = 0; k < Math.max(middleY, middleX) + 1; k++) {
    for (let y = Math.max(middleY - k, 0); y <= Math.min(middleY + k, height - 1); y++) {
      for (let x = Math.max(middleX - k, 0); x <= Math.min(middleX + k, width - 1); x++) {
        peak[y * width + x] += 1 / (k + 1) ** fall;
      }
    }
  }
  return peak;
}

function unit(norm: Norm, values: Float32Array): Float32Array {
  const scale = scaleTo(1, lengthOf(norm, values));
  return values.map((value) => scale * value);
}
