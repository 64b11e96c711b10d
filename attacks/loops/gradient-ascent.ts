// Projected gradient ascent: the one loop behind FGSM, BIM, PGD and MI-FGSM.
//
//   v ← momentum · v + g / mean |g|, or v ← g without momentum,  g = ∇ loss(x)
//   x ← Π(x + stepSize · steepest(v))
//
// Mode `train` takes every step of every attempt. Mode `evaluate` drops an image at its first success, unless the
// model is random.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { confine } from '../norms/ball.ts';
import type { Norm } from '../norms/index.ts';
import { moderationOf, orOne } from '../norms/moderate.ts';
import { holding } from '../support/tensor-scope.ts';
import type { Attack, Bounds, Loss } from '../types.ts';
import { timesCost } from './costs.ts';
import { finiteGradient } from './finite-gradient.ts';
import { meets } from './goals.ts';
import { type Attempt, attempts, type Clean, cleanLogitsOf, type Problem, pixelsOf, readProblem } from './problem.ts';
import { takeRows } from './rows.ts';
import { findBest, ledger, type Outcome } from './search.ts';
import { bestIterates, type Stack, stackAttempts } from './stack.ts';

/** Projected gradient ascent on a loss. */
export interface Ascent {
  readonly name: string;
  readonly norm: Norm;
  readonly epsilon: number;
  readonly stepSize: number;
  readonly steps: number;
  readonly restarts: number;
  readonly randomStart: boolean;
  /** How much of the accumulated gradient each step keeps; 0 follows the gradient itself. */
  readonly momentum: number;
  readonly loss: Loss;
  readonly bounds: Bounds;
  /** Calls of the model whose mean each answer is. */
  readonly eot: number;
  /** Which iterate is returned where none succeeds: that of highest loss, or the last. */
  readonly keep: 'best' | 'last';
}

/** The attack that an ascent is. */
export const ascending = (ascent: Ascent): Attack => {
  const { name, norm, epsilon, bounds, eot, steps, restarts } = ascent;
  return {
    name,
    norm: norm.name,
    epsilon,
    bounds,
    budget: () => timesCost(eot, { forwardPasses: 1 + restarts * (steps + 1), inputGradients: restarts * steps }),
    perturb: async (model, images, goal, options = {}) => {
      const problem = await readProblem(ascent, model, images, goal, options);
      if (images.shape[0] === 0) return tf.clone(images);
      if (problem.mode === 'train') return train(ascent, problem);
      return findBest(
        {
          name,
          bounds,
          eot,
          attempts: () => restartsOf(ascent, problem),
          run: (given, clean, attempted) => climb(ascent, given, clean, attempted),
        },
        problem,
      );
    },
  };
};

/** Given a start, all restarts would be one. */
const restartsOf = ({ restarts }: Ascent, { start }: Problem): number => (start ? 1 : restarts);

/** One step of every row of a stack, along the gradient that the stack has kept. */
const ascend = ({ momentum, stepSize }: Ascent, { onNonFinite }: Problem, stack: Stack): Promise<void> =>
  holding(async ({ hold, release }) => {
    const { adversarial, velocity, region } = stack;
    const slope = hold(await finiteGradient(hold(stack.takeGradient()), onNonFinite));
    // A momentum above 1 may take the sum beyond float32.
    const direction = momentum === 0 ? slope : hold(await finiteGradient(hold(accumulated(velocity, momentum, slope))));
    const next = tf.tidy(() =>
      region.project(tf.add(adversarial, tf.mul(region.steepest(direction, adversarial), stepSize))),
    );
    stack.advance(next, momentum === 0 ? undefined : release(direction));
  });

/** v ← momentum · v + g / mean |g| (Dong et al. 2018, arXiv:1710.06081); owned by the caller. */
const accumulated = (velocity: Tensor4D | undefined, momentum: number, gradient: Tensor4D): Tensor4D =>
  tf.tidy(() => {
    const moderate = tf.mul(gradient, moderationOf(gradient));
    const unit = tf.div(moderate, orOne(tf.mean(tf.abs(moderate), [1, 2, 3], true))) as Tensor4D;
    return velocity ? (tf.add(tf.mul(velocity, momentum), unit) as Tensor4D) : unit;
  });

/** Every step for every image; the last iterate, with restarts that of highest loss. */
async function train(ascent: Ascent, problem: Problem): Promise<Tensor4D> {
  const { steps, loss } = ascent;
  const restarts = restartsOf(ascent, problem);
  const images = Array.from({ length: problem.shape[0] }, (_, image) => image);
  const clean = loss.needsCleanLogits ? await readCleanLogits(problem) : undefined;
  const best = bestIterates();
  try {
    for (let restart = 0; restart < restarts; restart++) {
      const stack = stackAttempts(ascent, problem, attempts(images, restart, 1), clean);
      try {
        for (let step = 0; step < steps; step++) {
          await stack.differentiate();
          await ascend(ascent, problem, stack);
          problem.tell(restart * steps + step + 1, restarts * steps, stack.rows);
        }
        best.take(stack.adversarial, restarts === 1 ? new Float32Array(images.length) : (await stack.look()).loss);
      } finally {
        stack.dispose();
      }
    }
    return await confined(ascent, problem, best.get().adversarial);
  } finally {
    best.dispose();
  }
}

async function readCleanLogits(problem: Problem): Promise<Pick<Clean, 'logits' | 'classes'>> {
  const logits = await cleanLogitsOf(problem);
  try {
    return { logits: (await logits.data()) as Float32Array, classes: logits.shape[1] };
  } finally {
    logits.dispose();
  }
}

/** The images, with those pulled in that rounding left outside the ball; owned by the caller. */
async function confined({ norm, epsilon }: Ascent, problem: Problem, adversarial: Tensor4D): Promise<Tensor4D> {
  if (norm.isExact) return tf.clone(adversarial);
  const { pixels, shape } = problem;
  const data = Float32Array.from(await adversarial.data());
  for (let image = 0; image < shape[0]; image++) {
    confine(norm, epsilon, pixelsOf(pixels, shape, image), pixelsOf(data, shape, image));
  }
  return tf.tensor4d(data, shape);
}

/**
 * Runs attempts side by side, in order of their restarts. An image's lowest successful restart counts, so a success ends
 * only its image's higher ones, and the outcome does not depend on what else is in the batch.
 */
async function climb(
  ascent: Ascent,
  problem: Problem,
  clean: Clean,
  attempted: readonly Attempt[],
): Promise<readonly Outcome[]> {
  const { steps, keep } = ascent;
  const stack = stackAttempts(ascent, problem, attempted, clean);
  const best = bestIterates();
  const book = ledger(problem);
  try {
    for (let step = 0; ; step++) {
      const isLast = step === steps;
      const { loss, predictions } = await (isLast ? stack.look() : stack.lookAndDifferentiate());
      if (keep === 'best' || isLast) {
        best.take(stack.adversarial, loss);
        const solved = stack.rows.map((row, i) => book.isOpen(row) && isSolved(problem, row, predictions[i]));
        await settle(ascent, problem, book, stack.rows, solved, { adversarial: stack.adversarial, loss }, true);
      }
      if (isLast || !dropClosed(stack, best, book)) break;
      await ascend(ascent, problem, stack);
      problem.tell(step + 1, steps, stack.rows);
    }
    await settle(ascent, problem, book, stack.rows, stack.rows.map(book.isOpen), best.get(), false);
    return book.outcomes();
  } finally {
    stack.dispose();
    best.dispose();
  }
}

type Ledger = ReturnType<typeof ledger>;
type Best = ReturnType<typeof bestIterates>;

const isSolved = ({ goal }: Problem, { image }: Attempt, predicted: number): boolean =>
  meets(goal.kind, goal.classes[image], predicted);

/** Enters the outcome of the chosen rows. */
async function settle(
  { norm, epsilon }: Ascent,
  { pixels, shape }: Problem,
  book: Ledger,
  rows: readonly Attempt[],
  chosen: readonly boolean[],
  from: { readonly adversarial: Tensor4D; readonly loss: Float32Array },
  success: boolean,
): Promise<void> {
  const indices = chosen.flatMap((isChosen, i) => (isChosen ? [i] : []));
  if (indices.length === 0) return;
  const taken = takeRows(from.adversarial, indices);
  const data = Float32Array.from(await taken.data().finally(() => taken.dispose()));
  indices.forEach((index, i) => {
    const row = rows[index];
    const adversarial = Float32Array.from(pixelsOf(data, shape, i));
    confine(norm, epsilon, pixelsOf(pixels, shape, row.image), adversarial);
    book.settle({ ...row, success, score: from.loss[index], adversarial });
  });
}

/** A share of the rows that must be done before the others are moved together. */
const WORTH_COMPACTING = 1 / 16;

/** Leaves out rows that can no longer count, where that is worth it; returns whether any can. */
function dropClosed(stack: Stack, best: Best, book: Ledger): boolean {
  const open = stack.rows.flatMap((row, i) => (book.isOpen(row) ? [i] : []));
  const closed = stack.rows.length - open.length;
  if (open.length > 0 && closed >= Math.max(1, WORTH_COMPACTING * stack.rows.length)) {
    stack.keep(open);
    best.keep(open);
  }
  return open.length > 0;
}
