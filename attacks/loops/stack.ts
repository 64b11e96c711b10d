// Attempts under way, stacked as the rows of one batch: their iterates, and what a step needs around them. Here are only rows
// and tensors; the mathematics of a step is the attack's.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Norm, Region } from '../norms/index.ts';
import type { Bounds, Loss } from '../types.ts';
import { expectedGradient, expectedLoss } from './expectation.ts';
import { checkClasses, disposeGoal, goalTensors, takeGoal } from './goals.ts';
import { type Attempt, type Clean, imageShape, type Problem, report, sizeOf, streamOf, takeFlat } from './problem.ts';
import { chooseRows, takeRows } from './rows.ts';

/** What a stack takes from its attack. */
export interface StackedAttack {
  readonly norm: Norm;
  readonly epsilon: number;
  readonly bounds: Bounds;
  readonly loss: Loss;
  readonly randomStart: boolean;
}

/** The attempts of an attack side by side. It owns its tensors until `dispose`. */
export interface Stack {
  /** The attempts, one a row. */
  readonly rows: readonly Attempt[];
  /** The iterates, [rows, height, width, channels]. */
  readonly adversarial: Tensor4D;
  /** The accumulated gradient; undefined before the first step and without momentum. */
  readonly velocity: Tensor4D | undefined;
  /** Where the iterates may lie. */
  readonly region: Region;
  /** Asks the model about the iterates: losses, and predicted classes. */
  look(): Promise<{ readonly loss: Float32Array; readonly predictions: readonly number[] }>;
  /** Does what `look` does, and keeps the gradient of the loss. */
  lookAndDifferentiate(): Promise<{ readonly loss: Float32Array; readonly predictions: readonly number[] }>;
  /** Keeps the gradient of the loss at the iterates, and reads nothing. */
  differentiate(): Promise<void>;
  /** The kept gradient, which the caller owns from then on. */
  takeGradient(): Tensor4D;
  /** Goes on to the next iterates, which it takes over. */
  advance(adversarial: Tensor4D, velocity?: Tensor4D): void;
  /** Leaves out every row but these. */
  keep(indices: readonly number[]): void;
  dispose(): void;
}

/**
 * Stacks attempts at their first iterates.
 *
 * @param clean the logits of the unperturbed images; undefined if the loss does not compare with them
 */
export function stackAttempts(
  attack: StackedAttack,
  problem: Problem,
  attempted: readonly Attempt[],
  clean: Pick<Clean, 'logits' | 'classes'> | undefined,
): Stack {
  const { goal } = problem;
  const { loss } = attack;
  let rows = attempted;
  let around = surround(attack, problem, rows, clean);
  let adversarial = firstIterates(attack, problem, around.region, rows);
  let velocity: Tensor4D | undefined;
  let gradient: Tensor4D | undefined;

  const question = () => ({ loss, goals: around.goals, images: adversarial, cleanLogits: around.cleanLogits });
  const differentiate = async () => {
    const here = await expectedGradient(problem, question());
    gradient = here.gradient;
    return here;
  };
  return {
    get rows() {
      return rows;
    },
    get adversarial() {
      return adversarial;
    },
    get velocity() {
      return velocity;
    },
    get region() {
      return around.region;
    },
    look: async () => report(await expectedLoss(problem, question())),
    lookAndDifferentiate: async () => report(await differentiate()),
    async differentiate() {
      const here = await differentiate();
      try {
        checkClasses(goal, here.logits);
      } finally {
        tf.dispose([here.logits, here.loss]);
      }
    },
    takeGradient() {
      const taken = gradient as Tensor4D;
      gradient = undefined;
      return taken;
    },
    advance(next, nextVelocity) {
      adversarial.dispose();
      velocity?.dispose();
      adversarial = next;
      velocity = nextVelocity;
    },
    keep(indices) {
      const take = <T extends Tensor4D | undefined>(tensor: T): T => {
        if (tensor === undefined) return tensor;
        const taken = takeRows(tensor as Tensor4D, indices);
        tensor.dispose();
        return taken as T;
      };
      rows = indices.map((i) => rows[i]);
      adversarial = take(adversarial);
      velocity = take(velocity);
      gradient = take(gradient);
      around.dispose();
      around = surround(attack, problem, rows, clean);
    },
    dispose() {
      around.dispose();
      adversarial.dispose();
      velocity?.dispose();
      gradient?.dispose();
    },
  };
}

/** What the rows' losses and steps refer to. */
function surround(
  { norm, epsilon, bounds }: StackedAttack,
  { pixels, shape, goal }: Problem,
  rows: readonly Attempt[],
  clean: Pick<Clean, 'logits' | 'classes'> | undefined,
) {
  const images = rows.map(({ image }) => image);
  const region = norm.region(epsilon, bounds, takeFlat(pixels, images, sizeOf(shape)), [
    rows.length,
    ...imageShape(shape),
  ]);
  const goals = goalTensors(takeGoal(goal, images));
  const cleanLogits = clean && tf.tensor2d(takeFlat(clean.logits, images, clean.classes), [rows.length, clean.classes]);
  const dispose = () => {
    region.dispose();
    disposeGoal(goals);
    cleanLogits?.dispose();
  };
  return { region, goals, cleanLogits, dispose };
}

/** The first iterate of every attempt: its start, the image, or a random point of the ball. Owned by the caller. */
function firstIterates(
  { norm, epsilon, randomStart }: StackedAttack,
  problem: Problem,
  region: Region,
  rows: readonly Attempt[],
): Tensor4D {
  const { pixels, shape, start } = problem;
  const size = sizeOf(shape);
  const images = rows.map(({ image }) => image);
  const first = takeFlat(start ?? pixels, images, size);
  if (!start && randomStart) {
    rows.forEach((attempt, row) => {
      const noise = norm.sample(streamOf(problem, attempt), size, epsilon);
      for (let i = 0; i < size; i++) first[row * size + i] += noise[i];
    });
  }
  return tf.tidy(() => region.project(tf.tensor4d(first, [rows.length, ...imageShape(shape)])));
}

/** Keeps the iterate with the highest loss so far for each row of a stack. It owns its tensor until `dispose`. */
export function bestIterates() {
  let best: { readonly adversarial: Tensor4D; readonly loss: Float32Array } | undefined;
  return {
    /** Takes in the iterates whose loss is higher than any before. */
    take(adversarial: Tensor4D, loss: Float32Array): void {
      const previous = best;
      const isHigher = Array.from(loss, (value, i) => previous === undefined || value > previous.loss[i]);
      best = {
        adversarial: chooseRows(isHigher, adversarial, previous?.adversarial ?? adversarial),
        loss: loss.map((value, i) => (previous === undefined || isHigher[i] ? value : previous.loss[i])),
      };
      previous?.adversarial.dispose();
    },
    /** Leaves out every row but these. */
    keep(indices: readonly number[]): void {
      const previous = best;
      if (previous === undefined) return;
      best = {
        adversarial: takeRows(previous.adversarial, indices),
        loss: Float32Array.from(indices, (i) => previous.loss[i]),
      };
      previous.adversarial.dispose();
    },
    /** The iterates and their losses. Taken before there are any, it throws. */
    get(): { readonly adversarial: Tensor4D; readonly loss: Float32Array } {
      if (best === undefined) throw new Error('There is no iterate yet.');
      return best;
    },
    dispose(): void {
      best?.adversarial.dispose();
    },
  };
}
