// Auto-PGD, untargeted and targeted.
import { timesCost } from './loops/costs.ts';
import { meets, type ReadGoal, takeGoal } from './loops/goals.ts';
import { type Attempt, type Clean, type Problem, pixelsOf, streamOf } from './loops/problem.ts';
import { ask, askGradient, type GradientAnswer } from './loops/query.ts';
import { ledger, type Outcome, type Search, searching } from './loops/search.ts';
import { rankTargets, towards } from './loops/target-classes.ts';
import { dlrOrMargin, type LossName } from './losses.ts';
import { lengthOf, scaleTo } from './norms/ball.ts';
import { type Ball, norms, type PlainNorm, searchNorms } from './norms/index.ts';
import { count, lossNamed, normAmong, pixelBounds, radius, share, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions, type ValuesOf } from './support/options.ts';
import type { Attack, Bounds, Loss } from './types.ts';

/** The options of every APGD but its loss and its name. */
const ASCENT_OPTIONS = {
  /** `linf` (default) or `l2`. */
  norm: normAmong(searchNorms, 'linf'),
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  epsilon: radius,
  /** Default 100. */
  steps: count(100),
  /** Attempts at each image, each from another random start; default 1. */
  restarts: count(1),
  /** The share ρ of steps that must raise the loss between two checkpoints, else the step is halved; default 0.75. */
  rho: share(0.75),
  /** Calls of the model whose mean each answer is, for models that are random; default 1. */
  eot: count(1),
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  bounds: pixelBounds,
} as const satisfies OptionTable;

export const APGD_OPTIONS = {
  ...ASCENT_OPTIONS,
  /** What the attack increases, by name or the caller's own; default `ce`. */
  loss: lossNamed('ce'),
  /** What the attack is called in results; default `apgd-ce`, with the loss DLR `apgd-dlr`, with another `apgd`. */
  name: title(({ loss }: { loss: LossName | Loss }) => NAMES[String(loss)] ?? 'apgd'),
} as const satisfies OptionTable;

const NAMES: Readonly<Record<string, string>> = { ce: 'apgd-ce', dlr: 'apgd-dlr' };

/** Options of `apgd`. */
export type ApgdOptions = OptionsOf<typeof APGD_OPTIONS>;

/**
 * Auto-PGD (Croce and Hein 2020, arXiv:2003.01690): projected gradient ascent with momentum that chooses its step sizes.
 * From a random point of the sphere, with a step η of 2 · epsilon,
 *
 *     z ← Π(x + η · steepest(∇ loss(x)))
 *     x' ← Π(x + 0.75 · (z − x) + 0.25 · (x − x₋₁))
 *
 * At checkpoints, 22 % of the steps apart and ever closer, η is halved, and the image starts again at its best point,
 * where at most ρ of the steps since the last one raised the loss, or where neither η nor the best loss has changed.
 *
 * In mode `evaluate` an image comes back at the first iterate that meets the goal, otherwise as that of highest loss over
 * all restarts; an image that already meets it comes back unchanged. In mode `train` every step runs.
 *
 * Throws InputError for options out of range and for the norm l1.
 */
export function apgd(options: ApgdOptions): Attack {
  const { loss, ...values } = readOptions('apgd', options, APGD_OPTIONS);
  const { restarts } = values;
  return autoPgd(values, (ascent) => ({
    most: () => restarts,
    attempts: (problem) => (problem.start ? 1 : restarts),
    run: (problem, clean, attempted) =>
      climb(ascent, problem, clean, attempted, {
        loss,
        goalOf: (rows) => goalOf(problem.goal, rows),
      }),
  }));
}

export const APGD_T_OPTIONS = {
  ...ASCENT_OPTIONS,
  /** What the attack is called in results; default `apgd-t`. */
  name: title('apgd-t'),
  /** Classes aimed at, the likeliest first; default 9, at most all but one. */
  targets: count(9),
} as const satisfies OptionTable;

/** Options of `apgdT`. */
export type ApgdTOptions = OptionsOf<typeof APGD_T_OPTIONS>;

/**
 * Targeted APGD, APGD-T (Croce and Hein 2020, arXiv:2003.01690): `apgd` towards each of the other classes in turn, those
 * of the highest clean logits first, on the targeted difference of logits ratio. Any misclassification counts. With
 * fewer than 4 classes, for which that ratio is not defined, the loss is z_t − z_y.
 *
 * Given a targeted goal it aims at that class alone.
 */
export function apgdT(options: ApgdTOptions): Attack {
  const { targets, ...values } = readOptions('apgdT', options, APGD_T_OPTIONS);
  const { restarts } = values;
  return autoPgd(values, (ascent) => ({
    most: (classes) => Math.min(targets, classes - 1) * restarts,
    attempts: ({ goal, start }, { classes }) =>
      (goal.kind === 'targeted' ? 1 : Math.min(targets, classes - 1)) * (start ? 1 : restarts),
    run: (problem, clean, attempted) => {
      const each = problem.start ? 1 : restarts;
      const ranked = rankTargets(problem, clean);
      return climb(ascent, problem, clean, attempted, {
        loss: dlrOrMargin,
        goalOf: (rows) => towards(problem, clean, ranked, rows, (restart) => Math.floor(restart / each)),
      });
    },
  }));
}

const goalOf = (goal: ReadGoal, rows: readonly Attempt[]): ReadGoal =>
  takeGoal(
    goal,
    rows.map(({ image }) => image),
  );

interface Ascent {
  readonly norm: PlainNorm;
  readonly epsilon: number;
  readonly steps: number;
  readonly rho: number;
  readonly bounds: Bounds;
}

function autoPgd(
  options: ValuesOf<typeof ASCENT_OPTIONS> & { readonly name: string },
  search: (ascent: Ascent) => Pick<Search, 'attempts' | 'run'> & {
    /** Attempts at an image, at most, without a start or a target. */
    readonly most: (classes: number) => number;
  },
): Attack {
  const { name, norm, epsilon, steps, rho, eot, bounds } = options;
  const ascent = { norm: norms[norm], epsilon, steps, rho, bounds };
  const { most, ...attempting } = search(ascent);
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) =>
      timesCost(eot, { forwardPasses: 1 + most(classes) * (steps + 1), inputGradients: most(classes) * steps }),
    perturb: searching({ name, bounds, eot, ...attempting }),
  };
}

/** The numbers of steps after which step sizes are judged, and how many steps each judges. */
export function checkpoints(steps: number): ReadonlyMap<number, number> {
  const share = (part: number) => Math.max(Math.floor(part * steps), 1);
  const at = new Map<number, number>();
  let length = share(0.22);
  for (let step = length; step <= steps; step += length) {
    at.set(step, length);
    length = Math.max(length - share(0.03), share(0.06));
  }
  return at;
}

/** How much of a step is new, and not the one before continued. */
const NEW = 0.75;

const nowhere = new Float32Array(0);

/** An attempt under way. */
interface Climber extends Attempt {
  readonly ball: Ball;
  pixels: Float32Array;
  previous: Float32Array;
  gradient: Float32Array;
  loss: number;
  stepSize: number;
  best: { readonly pixels: Float32Array; readonly gradient: Float32Array; readonly loss: number };
  /** Steps since the last checkpoint that raised the loss. */
  rises: number;
  /** The best loss at the last checkpoint, and whether the step was halved there. */
  last: { readonly loss: number; readonly halved: boolean };
}

interface Uphill {
  readonly loss: Loss;
  /** What the loss of each row refers to. */
  readonly goalOf: (rows: readonly Attempt[]) => ReadGoal;
}

async function climb(
  ascent: Ascent,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
  { loss, goalOf }: Uphill,
): Promise<readonly Outcome[]> {
  const { goal, mode } = problem;
  const judged = checkpoints(ascent.steps);
  const book = ledger(problem);
  const look = async (rows: readonly Climber[], last: boolean): Promise<GradientAnswer[]> => {
    const question = { loss, goal: goalOf(rows) };
    if (!last) return askGradient(problem, clean, question, rows);
    return (await ask(problem, clean, question, rows)).map((answer) => ({ ...answer, gradient: nowhere }));
  };

  let rows = attempted.map((attempt) => begin(ascent, problem, attempt));
  for (let step = 0; rows.length > 0; step++) {
    const answers = await look(rows, step === ascent.steps);
    rows.forEach((row, i) => {
      arrive(row, answers[i], step);
      const { image, restart, pixels: adversarial, loss: score } = row;
      if (mode === 'evaluate' && meets(goal.kind, goal.classes[image], answers[i].prediction)) {
        book.settle({ image, restart, success: true, score, adversarial });
      }
    });
    rows = rows.filter(book.isOpen);
    if (step === ascent.steps) break;
    const length = judged.get(step);
    for (const row of rows) {
      if (length !== undefined) judge(row, ascent.rho * length);
      move(ascent, row, step === 0);
    }
    problem.tell(step + 1, ascent.steps, rows);
  }
  for (const { image, restart, best } of rows) {
    book.settle({ image, restart, success: false, score: best.loss, adversarial: best.pixels });
  }
  return book.outcomes();
}

function begin({ norm, epsilon, bounds }: Ascent, problem: Problem, attempt: Attempt): Climber {
  const image = pixelsOf(problem.pixels, problem.shape, attempt.image);
  const ball = norm.ball(epsilon, bounds, image);
  const pixels = Float32Array.from(problem.start ? pixelsOf(problem.start, problem.shape, attempt.image) : image);
  if (!problem.start) {
    const noise = norm.sample(streamOf(problem, attempt), pixels.length, epsilon);
    const scale = scaleTo(epsilon, lengthOf(norm, noise));
    for (let i = 0; i < pixels.length; i++) pixels[i] += scale * noise[i];
  }
  ball.project(pixels);
  return {
    ...attempt,
    ball,
    pixels,
    previous: pixels,
    gradient: nowhere,
    loss: Number.NEGATIVE_INFINITY,
    stepSize: 2 * epsilon,
    best: { pixels, gradient: nowhere, loss: Number.NEGATIVE_INFINITY },
    rises: 0,
    last: { loss: Number.NEGATIVE_INFINITY, halved: true },
  };
}

/** Takes in what the model said of the point where the row is. */
function arrive(row: Climber, { gradient, loss }: GradientAnswer, step: number): void {
  if (step > 0 && loss > row.loss) row.rises++;
  row.gradient = gradient;
  row.loss = loss;
  if (step === 0 || loss > row.best.loss) row.best = { pixels: row.pixels, gradient, loss };
  if (step === 0) row.last = { loss, halved: true };
}

/** Halves the step where it was too long, and goes back to the best point. */
function judge(row: Climber, enough: number): void {
  const halved = row.rises <= enough || (!row.last.halved && row.last.loss >= row.best.loss);
  row.last = { loss: row.best.loss, halved };
  row.rises = 0;
  if (!halved) return;
  row.stepSize /= 2;
  row.pixels = row.best.pixels;
  row.gradient = row.best.gradient;
}

function move({ norm }: Ascent, row: Climber, first: boolean): void {
  const { ball, pixels, previous, gradient, stepSize } = row;
  const next = Float32Array.from(pixels);
  norm.climb(next, gradient, stepSize);
  ball.project(next);
  if (!first) {
    for (let i = 0; i < next.length; i++) {
      next[i] = pixels[i] + NEW * (next[i] - pixels[i]) + (1 - NEW) * (pixels[i] - previous[i]);
    }
    ball.project(next);
  }
  row.previous = pixels;
  row.pixels = next;
}
