import { meets, type ReadGoal, takeGoal } from './loops/goals.ts';
import { type Attempt, type Clean, type Problem, pixelsOf, streamOf } from './loops/problem.ts';
import { ask, askGradient, type GradientAnswer } from './loops/query.ts';
import { ledger, type Outcome, type Search, searching } from './loops/search.ts';
import { rankTargets, towards } from './loops/target-classes.ts';
import { dlr, dlrOrMargin, type LossName, lossOf } from './losses.ts';
import { type Ball, ballAround, checkNorm, lengthOf, scaleTo, searchNorms } from './norms/ball.ts';
import { type Norm, normOf } from './norms/index.ts';
import { checkBounds, checkCount, checkEpsilon, checkShare } from './support/checks.ts';
import { checkOptions, type OptionNames } from './support/options.ts';
import type { Attack, Bounds, Loss, NormName } from './types.ts';

/** Options of APGD. */
export interface ApgdOptions {
  /** What the attack is called in results; default `apgd-ce`, with the loss DLR `apgd-dlr`, with another `apgd`. */
  readonly name?: string;
  /** `linf` (default) or `l2`. */
  readonly norm?: NormName;
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  readonly epsilon: number;
  /** Default 100. */
  readonly steps?: number;
  /** Attempts at each image, each from another random start; default 1. */
  readonly restarts?: number;
  /** What the attack increases, by name or the caller's own; default `cross-entropy`. */
  readonly loss?: LossName | Loss;
  /** The share ρ of steps that must raise the loss between two checkpoints, else the step is halved; default 0.75. */
  readonly rho?: number;
  /** Forward passes whose mean is a gradient, for models that are random; default 1. */
  readonly passes?: number;
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  readonly bounds?: Bounds;
}

const SHARED_OPTIONS: OptionNames<Omit<ApgdOptions, 'loss'>> = {
  name: true,
  norm: true,
  epsilon: true,
  steps: true,
  restarts: true,
  rho: true,
  passes: true,
  bounds: true,
};

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
  checkOptions('apgd', options, { ...SHARED_OPTIONS, loss: true });
  const { loss = 'cross-entropy', restarts = 1 } = options;
  const { name = NAMES[String(loss)] ?? 'apgd' } = options;
  checkCount('restarts', restarts, 1);
  const question = lossOf(loss);
  return autoPgd({ ...options, name }, (ascent) => ({
    most: () => restarts,
    attempts: (problem) => (problem.start ? 1 : restarts),
    run: (problem, clean, attempted) =>
      climb(ascent, problem, clean, attempted, {
        loss: question,
        goalOf: (rows) => goalOf(problem.goal, rows),
      }),
  }));
}

const NAMES: Readonly<Record<string, string>> = { 'cross-entropy': 'apgd-ce', dlr: 'apgd-dlr' };

/** APGD on the difference of logits ratio, which needs 3 classes: see `apgd` and `dlr`. */
export function apgdDlr(options: Omit<ApgdOptions, 'loss'>): Attack {
  checkOptions('apgdDlr', options, SHARED_OPTIONS);
  const { name = 'apgd-dlr' } = options;
  return apgd({ ...options, name, loss: dlr });
}

/** Options of targeted APGD. */
export interface ApgdTOptions extends Omit<ApgdOptions, 'loss'> {
  /** Classes aimed at, the likeliest first; default 9, at most all but one. */
  readonly targets?: number;
}

/**
 * Targeted APGD, APGD-T (Croce and Hein 2020, arXiv:2003.01690): `apgd` towards each of the other classes in turn, those
 * of the highest clean logits first, on the targeted difference of logits ratio. Any misclassification counts. With
 * fewer than 4 classes, for which that ratio is not defined, the loss is z_t − z_y.
 *
 * Given a targeted goal it aims at that class alone.
 */
export function apgdT(options: ApgdTOptions): Attack {
  checkOptions('apgdT', options, { ...SHARED_OPTIONS, targets: true });
  const { name = 'apgd-t', targets = 9, restarts = 1 } = options;
  checkCount('targets', targets, 1);
  checkCount('restarts', restarts, 1);
  return autoPgd({ ...options, name }, (ascent) => ({
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
  readonly norm: Norm;
  readonly epsilon: number;
  readonly steps: number;
  readonly rho: number;
  readonly passes: number;
  readonly bounds: Bounds;
}

function autoPgd(
  options: Omit<ApgdOptions, 'loss'> & { readonly name: string },
  search: (ascent: Ascent) => Pick<Search, 'attempts' | 'run'> & {
    /** Attempts at an image, at most, without a start or a target. */
    readonly most: (classes: number) => number;
  },
): Attack {
  const { name, norm = 'linf', epsilon, steps = 100, rho = 0.75, passes = 1, bounds = [0, 1] } = options;
  checkNorm(name, norm, searchNorms);
  checkBounds(bounds);
  checkEpsilon(epsilon, norm, bounds);
  checkCount('steps', steps, 1);
  checkCount('passes', passes, 1);
  checkShare('rho', rho);
  const ascent = { norm: normOf(norm), epsilon, steps, rho, passes, bounds };
  const { most, ...attempting } = search(ascent);
  // The last look takes no gradient, unless it is a mean of several.
  const looks = passes * steps + (passes > 1 ? passes : 0);
  return {
    name,
    norm,
    epsilon,
    bounds,
    budget: (classes) => ({
      forwardPasses: 1 + most(classes) * (passes * (steps + 1)),
      inputGradients: most(classes) * looks,
    }),
    perturb: searching({ name, bounds, ...attempting }),
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
  const book = ledger();
  const look = async (rows: readonly Climber[], last: boolean): Promise<GradientAnswer[]> => {
    const question = { loss, goal: goalOf(rows) };
    if (!last || ascent.passes > 1) return askGradient(problem, clean, question, rows, ascent.passes);
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
      move(row, step === 0);
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
  const ball = ballAround(norm, epsilon, bounds, image);
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

function move(row: Climber, first: boolean): void {
  const { ball, pixels, previous, gradient, stepSize } = row;
  const next = Float32Array.from(pixels);
  ball.climb(next, gradient, stepSize);
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
