// Auto-PGD, untargeted and targeted.
import { type Best, type Stepper, stepRules } from './loops/apgd-steps/index.ts';
import { timesCost } from './loops/costs.ts';
import { meets, type ReadGoal, takeGoal } from './loops/goals.ts';
import { type Attempt, type Clean, type Problem, pixelsOf, streamOf } from './loops/problem.ts';
import { ask, askGradient, type GradientAnswer } from './loops/query.ts';
import { ledger, type Outcome, type Search, searching } from './loops/search.ts';
import { rankTargets, towards } from './loops/target-classes.ts';
import { dlrOrMargin, type LossName } from './losses.ts';
import { norms } from './norms/index.ts';
import { BALL_OPTIONS, count, flag, lossNamed, MODEL_OPTIONS, share, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions, type ValuesOf } from './support/options.ts';
import type { Attack, Bounds, Loss, NormName } from './types.ts';

/** The options of every APGD but its loss and its name. */
const ASCENT_OPTIONS = {
  ...BALL_OPTIONS,
  /** Default 100. */
  steps: count(100),
  /** Attempts at each image, each from another random start; default 1. */
  restarts: count(1),
  /** The share ρ of steps that must raise the loss between two checkpoints, else the step is halved; default 0.75. Not in l1. */
  rho: share(0.75),
  /**
   * True if the steps go to a ball of radius 3 · epsilon first, then to one of 2 · epsilon, and to that of epsilon for the
   * last 40 % of them; default false.
   */
  multiEpsilon: flag(false),
  ...MODEL_OPTIONS,
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
 * Auto-PGD: projected gradient ascent that chooses its step sizes. In linf and l2 (Croce and Hein 2020, arXiv:2003.01690)
 * it has momentum: from a random point of the sphere, with a step η of 2 · epsilon,
 *
 *     z ← Π(x + η · steepest(∇ loss(x)))
 *     x' ← Π(x + 0.75 · (z − x) + 0.25 · (x − x₋₁))
 *
 * At checkpoints, 22 % of the steps apart and ever closer, η is halved, and the image starts again at its best point,
 * where at most ρ of the steps since the last one raised the loss, or where neither η nor the best loss has changed.
 *
 * In l1 (Croce and Hein 2021, arXiv:2103.01208) a step of length η goes to the k pixels with the largest gradients, and Π
 * projects onto the ball and the bounds together. After every 4 % of the steps k follows the number of pixels that the best
 * point changes. Where that fell, η becomes epsilon again and the image goes on from its best point, elsewhere η shrinks.
 *
 * In mode `evaluate` an image comes back at the first iterate that meets the goal, otherwise as that of highest loss over
 * all restarts; an image that already meets it comes back unchanged. In mode `train` every step runs.
 *
 * Throws InputError for options out of range.
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
  readonly norm: NormName;
  readonly phases: readonly Phase[];
  readonly rho: number;
  readonly bounds: Bounds;
}

/** Steps in a ball of one radius. */
interface Phase {
  readonly epsilon: number;
  readonly steps: number;
}

/** The radii of the phases before the last, as multiples of epsilon, and the share of steps that each takes. */
const LARGER = [3, 2] as const;
const LARGER_SHARE = 0.3;

/** The phases of an ascent: one, or three in balls that shrink to that of epsilon. The last one has at least one step. */
export function phasesOf(epsilon: number, steps: number, multiEpsilon: boolean): readonly Phase[] {
  const larger: Phase[] = [];
  let left = steps;
  for (const multiple of multiEpsilon ? LARGER : []) {
    const taken = Math.min(Math.ceil(LARGER_SHARE * steps), left - 1);
    if (taken > 0) larger.push({ epsilon: multiple * epsilon, steps: taken });
    left -= taken;
  }
  return [...larger, { epsilon, steps: left }];
}

function autoPgd(
  options: ValuesOf<typeof ASCENT_OPTIONS> & { readonly name: string },
  search: (ascent: Ascent) => Pick<Search, 'attempts' | 'run'> & {
    /** Attempts at an image, at most, without a start or a target. */
    readonly most: (classes: number) => number;
  },
): Attack {
  const { name, norm, epsilon, steps, rho, eot, multiEpsilon, bounds } = options;
  const phases = phasesOf(epsilon, steps, multiEpsilon);
  const { most, ...attempting } = search({ norm, phases, rho, bounds });
  return {
    name,
    norm,
    epsilon,
    bounds,
    // The last look of a phase takes no gradient.
    budget: (classes) =>
      timesCost(eot, {
        forwardPasses: 1 + most(classes) * (steps + phases.length),
        inputGradients: most(classes) * steps,
      }),
    perturb: searching({ name, bounds, eot, ...attempting }),
  };
}

const nowhere = new Float32Array(0);

/** An attempt under way. */
interface Climber extends Attempt {
  readonly stepper: Stepper;
  pixels: Float32Array;
  gradient: Float32Array;
  best: Best;
}

interface Uphill {
  readonly loss: Loss;
  /** What the loss of each row refers to. */
  readonly goalOf: (rows: readonly Attempt[]) => ReadGoal;
}

/** Runs attempts through all phases. Each phase continues from the best point of the phase before; only the last can succeed. */
async function climb(
  ascent: Ascent,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
  { loss, goalOf }: Uphill,
): Promise<readonly Outcome[]> {
  const { goal, mode } = problem;
  const { phases } = ascent;
  const total = phases.reduce((sum, { steps }) => sum + steps, 0);
  const book = ledger(problem);
  const look = async (rows: readonly Climber[], last: boolean): Promise<GradientAnswer[]> => {
    const question = { loss, goal: goalOf(rows) };
    if (!last) return askGradient(problem, clean, question, rows);
    return (await ask(problem, clean, question, rows)).map((answer) => ({ ...answer, gradient: nowhere }));
  };

  let rows: Climber[] = [];
  let done = 0;
  for (const [number, phase] of phases.entries()) {
    const decides = mode === 'evaluate' && number === phases.length - 1;
    rows =
      number === 0
        ? attempted.map((attempt) => begin(ascent, phase, problem, attempt))
        : rows.map((row) => enter(ascent, phase, problem, row, row.best.pixels, false));
    for (let step = 0; rows.length > 0; step++) {
      const answers = await look(rows, step === phase.steps);
      rows.forEach((row, i) => {
        arrive(row, answers[i], step);
        const { image, restart, pixels: adversarial } = row;
        if (decides && meets(goal.kind, goal.classes[image], answers[i].prediction)) {
          book.settle({ image, restart, success: true, score: answers[i].loss, adversarial });
        }
      });
      rows = rows.filter(book.isOpen);
      if (step === phase.steps) break;
      for (const row of rows) {
        if (row.stepper.judge(step, row.best)) {
          row.pixels = row.best.pixels;
          row.gradient = row.best.gradient;
        }
        row.pixels = row.stepper.move(row.pixels, row.gradient);
      }
      problem.tell(++done, total, rows);
    }
  }
  for (const { image, restart, best } of rows) {
    book.settle({ image, restart, success: false, score: best.loss, adversarial: best.pixels });
  }
  return book.outcomes();
}

/** An attempt at its first point: the given start, or a random one. */
function begin(ascent: Ascent, phase: Phase, problem: Problem, attempt: Attempt): Climber {
  const { start, shape } = problem;
  if (start) return enter(ascent, phase, problem, attempt, pixelsOf(start, shape, attempt.image), false);
  const image = pixelsOf(problem.pixels, shape, attempt.image);
  const noise = stepRules[ascent.norm].noise(streamOf(problem, attempt), image.length, phase.epsilon);
  const from = image.map((pixel, i) => pixel + noise[i]);
  return enter(ascent, phase, problem, attempt, from, ascent.phases.length === 1);
}

/** An attempt at the beginning of a phase, at the point of its ball nearest to `from`. */
function enter(
  { norm, rho, bounds }: Ascent,
  { epsilon, steps }: Phase,
  { pixels: images, shape }: Problem,
  { image: place, restart }: Attempt,
  from: Float32Array,
  isRandom: boolean,
): Climber {
  const image = pixelsOf(images, shape, place);
  const ball = norms[norm].ball(epsilon, bounds, image);
  const pixels = Float32Array.from(from);
  ball.project(pixels);
  return {
    image: place,
    restart,
    stepper: stepRules[norm].stepper({ epsilon, steps, rho }, ball, image, pixels, isRandom),
    pixels,
    gradient: nowhere,
    best: { pixels, gradient: nowhere, loss: Number.NEGATIVE_INFINITY },
  };
}

/** Takes in what the model said of the point where the row is. */
function arrive(row: Climber, { gradient, loss }: GradientAnswer, step: number): void {
  row.stepper.arrive(loss);
  row.gradient = gradient;
  if (step === 0 || loss > row.best.loss) row.best = { pixels: row.pixels, gradient, loss };
}
