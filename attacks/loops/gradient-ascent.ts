// Projected gradient ascent on tensors: the one loop behind FGSM, BIM, PGD and MI-FGSM, in both modes.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Norm } from '../norms/index.ts';
import { moderationOf, orOne } from '../norms/moderate.ts';
import { confine } from '../norms/ball.ts';
import type { Region } from '../norms/region.ts';
import { holding } from '../support/tensor-scope.ts';
import type { Attack, Bounds, Loss } from '../types.ts';
import { finiteGradient } from './finite-gradient.ts';
import { checkClasses, disposeGoal, goalTensors, meets, takeGoal } from './goals.ts';
import { lossAndLogits, lossGradient } from './loss-gradient.ts';
import {
  type Attempt,
  attempts,
  type Clean,
  cleanLogitsOf,
  imageShape,
  type Problem,
  pixelsOf,
  readProblem,
  report,
  sizeOf,
  streamOf,
  takeFlat,
} from './problem.ts';
import { chooseRows, takeRows } from './rows.ts';
import { findBest, type Outcome } from './search.ts';

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
  /** Which iterate is returned where none succeeds: that of highest loss, or the last. */
  readonly keep: 'best' | 'last';
}

/** The attack that an ascent is. */
export const ascending = (ascent: Ascent): Attack => {
  const { name, norm, epsilon, bounds, steps, restarts } = ascent;
  return {
    name,
    norm: norm.name,
    epsilon,
    bounds,
    budget: () => ({ forwardPasses: 1 + restarts * (steps + 1), inputGradients: restarts * steps }),
    perturb: async (model, images, goal, options = {}) => {
      const problem = await readProblem(ascent, model, images, goal, options);
      if (images.shape[0] === 0) return tf.clone(images);
      if (problem.mode === 'train') return train(ascent, problem);
      return findBest(
        {
          name,
          bounds,
          attempts: () => restartsOf(ascent, problem),
          run: (given, clean, attempted) => climb(ascent, given, clean, attempted),
        },
        problem,
      );
    },
  };
};

/** Every step for every image; the last iterate, with restarts that of highest loss. */
const train = (ascent: Ascent, problem: Problem): Promise<Tensor4D> =>
  holding(async ({ hold, release }) => {
    const { classifier, goal, pixels, shape, spend, turn } = problem;
    const [batch] = shape;
    const images = Array.from({ length: batch }, (_, image) => image);
    const { loss, norm, epsilon, bounds } = ascent;
    const cleanLogits = loss.needsCleanLogits ? hold(await cleanLogitsOf(problem)) : undefined;
    const goals = goalTensors(goal);
    const region = norm.region(epsilon, bounds, pixels, shape);
    try {
      let best: { adversarial: Tensor4D; loss: Float32Array } | undefined;
      const restarts = restartsOf(ascent, problem);
      for (let restart = 0; restart < restarts; restart++) {
        const rows = attempts(images, restart, 1);
        let iterate: Iterate = { adversarial: hold(startOf(ascent, problem, region, rows)) };
        for (let step = 0; step < ascent.steps; step++) {
          await turn();
          const { adversarial, velocity } = iterate;
          const gradient = hold(
            tf.tidy(() => {
              const here = lossGradient(classifier, loss, goals, adversarial, cleanLogits);
              if (step === 0) checkClasses(goal, here.logits);
              return here.gradient;
            }),
          );
          spend({ forwardPasses: batch, inputGradients: batch });
          iterate = await move(ascent, problem, region, iterate, gradient);
          adversarial.dispose();
          velocity?.dispose();
          hold(iterate.adversarial);
          if (iterate.velocity) hold(iterate.velocity);
          problem.tell(restart * ascent.steps + step + 1, restarts * ascent.steps, rows);
        }
        iterate.velocity?.dispose();
        if (restarts === 1) best = { adversarial: iterate.adversarial, loss: new Float32Array(batch) };
        else best = await better(best, iterate.adversarial);
      }
      return await confined(ascent, problem, release((best as NonNullable<typeof best>).adversarial));

      async function better(previous: typeof best, adversarial: Tensor4D): Promise<NonNullable<typeof best>> {
        await turn();
        const { loss: losses } = await report(lossAndLogits(classifier, loss, goals, adversarial, cleanLogits));
        spend({ forwardPasses: batch, inputGradients: 0 });
        if (!previous) return { adversarial, loss: losses };
        const higher = images.map((i) => losses[i] > previous.loss[i]);
        const chosen = hold(chooseRows(higher, adversarial, previous.adversarial));
        adversarial.dispose();
        previous.adversarial.dispose();
        return { adversarial: chosen, loss: losses.map((value, i) => (higher[i] ? value : previous.loss[i])) };
      }
    } finally {
      region.dispose();
      disposeGoal(goals);
    }
  });

/** The adversarial images with those outside the ball pulled in; takes them over. */
async function confined({ norm, epsilon }: Ascent, problem: Problem, adversarial: Tensor4D): Promise<Tensor4D> {
  if (norm.isExact) return adversarial;
  const { pixels, shape } = problem;
  try {
    const data = Float32Array.from(await adversarial.data());
    for (let image = 0; image < shape[0]; image++) {
      confine(norm, epsilon, pixelsOf(pixels, shape, image), pixelsOf(data, shape, image));
    }
    return tf.tensor4d(data, shape);
  } finally {
    adversarial.dispose();
  }
}

/** Given a start, all restarts would be one. */
const restartsOf = ({ restarts }: Ascent, { start }: Problem): number => (start ? 1 : restarts);

/** A share of the rows that must be done before the others are moved together. */
const WORTH_COMPACTING = 1 / 16;

/**
 * Runs attempts side by side, in order of their restarts. An image's lowest successful restart counts, so a success ends
 * only its image's higher ones, and the outcome does not depend on what else is in the batch.
 */
const climb = (
  ascent: Ascent,
  problem: Problem,
  cleanOutputs: Clean,
  attempted: readonly Attempt[],
): Promise<Outcome[]> =>
  holding(async ({ hold }) => {
    const { classifier, pixels, shape, goal, spend, turn } = problem;
    const size = sizeOf(shape);
    const outcomes = new Map<Attempt, Outcome>();
    const firstSuccess = new Map<number, number>();
    const open = ({ image, restart }: Attempt) => restart < (firstSuccess.get(image) ?? Number.POSITIVE_INFINITY);

    let rows = attempted;
    let surroundings = surround(rows);
    const surroundingsOf = () => surroundings;
    let iterate: Iterate = { adversarial: hold(startOf(ascent, problem, surroundings.region, rows)) };
    let best: { adversarial: Tensor4D; loss: Float32Array } | undefined;
    try {
      for (let step = 0; ; step++) {
        const last = step === ascent.steps;
        const { goals, clean } = surroundings;
        await turn();
        const here = last
          ? lossAndLogits(classifier, ascent.loss, goals, iterate.adversarial, clean)
          : lossGradient(classifier, ascent.loss, goals, iterate.adversarial, clean);
        let gradient = 'gradient' in here ? hold(here.gradient as Tensor4D) : undefined;
        spend({ forwardPasses: rows.length, inputGradients: last ? 0 : rows.length });
        const { loss, predictions } = await report(here);

        if (last || ascent.keep === 'best') {
          const improved = rows.map((_, i) => ascent.keep === 'last' || !best || loss[i] > best.loss[i]);
          const previous = best;
          best = {
            adversarial: hold(chooseRows(improved, iterate.adversarial, previous?.adversarial ?? iterate.adversarial)),
            loss: loss.map((value, i) => (improved[i] ? value : (previous as NonNullable<typeof best>).loss[i])),
          };
          previous?.adversarial.dispose();
          const successes = rows.map(
            (row, i) => open(row) && meets(goal.kind, goal.classes[row.image], predictions[i]),
          );
          await settle(successes, true, iterate.adversarial, loss);
          if (last) {
            const rest = rows.map((row) => open(row) && !outcomes.has(row));
            await settle(rest, false, best.adversarial, best.loss);
            break;
          }
        }

        const kept = rows.flatMap((row, i) => (open(row) ? [i] : []));
        if (kept.length === 0) break;
        if (rows.length - kept.length >= Math.max(1, WORTH_COMPACTING * rows.length)) {
          const take = (tensor: Tensor4D) => {
            const taken = hold(takeRows(tensor, kept));
            tensor.dispose();
            return taken;
          };
          rows = kept.map((i) => rows[i]);
          gradient = take(gradient as Tensor4D);
          iterate = { adversarial: take(iterate.adversarial), velocity: iterate.velocity && take(iterate.velocity) };
          if (best) best = { adversarial: take(best.adversarial), loss: best.loss.filter((_, i) => kept.includes(i)) };
          surroundings.dispose();
          surroundings = surround(rows);
        }

        const { adversarial, velocity } = iterate;
        iterate = await move(ascent, problem, surroundings.region, iterate, gradient as Tensor4D);
        hold(iterate.adversarial);
        if (iterate.velocity) hold(iterate.velocity);
        adversarial.dispose();
        velocity?.dispose();
        problem.tell(step + 1, ascent.steps, rows);
      }
    } finally {
      surroundingsOf().dispose();
    }
    return attempted.flatMap((attempt) => outcomes.get(attempt) ?? []);

    /** Records the chosen rows' outcome. */
    async function settle(chosen: readonly boolean[], success: boolean, from: Tensor4D, loss: Float32Array) {
      const indices = chosen.flatMap((is, i) => (is ? [i] : []));
      if (indices.length === 0) return;
      const taken = hold(takeRows(from, indices));
      const data = await taken.data();
      indices.forEach((index, i) => {
        const row = rows[index];
        if (success) firstSuccess.set(row.image, Math.min(row.restart, firstSuccess.get(row.image) ?? row.restart));
        const adversarial = Float32Array.from(data.subarray(i * size, (i + 1) * size));
        confine(ascent.norm, ascent.epsilon, pixelsOf(pixels, shape, row.image), adversarial);
        outcomes.set(row, { ...row, success, score: loss[index], adversarial });
      });
      taken.dispose();
    }

    /** What the rows' loss and steps refer to. */
    function surround(of: readonly Attempt[]) {
      const images = of.map(({ image }) => image);
      const around = takeFlat(pixels, images, size);
      const region = ascent.norm.region(ascent.epsilon, ascent.bounds, around, [
        of.length,
        ...imageShape(shape),
      ]);
      const goals = goalTensors(takeGoal(goal, images));
      const clean = tf.tensor2d(takeFlat(cleanOutputs.logits, images, cleanOutputs.classes), [
        of.length,
        cleanOutputs.classes,
      ]);
      const dispose = () => {
        region.dispose();
        disposeGoal(goals);
        clean.dispose();
      };
      return { region, goals, clean, dispose };
    }
  });

/** The first iterate of every attempt; owned by the caller. */
function startOf(ascent: Ascent, problem: Problem, region: Region, rows: readonly Attempt[]): Tensor4D {
  const { pixels, shape, start } = problem;
  const size = sizeOf(shape);
  const first = takeFlat(
    start ?? pixels,
    rows.map(({ image }) => image),
    size,
  );
  if (!start && ascent.randomStart) {
    rows.forEach((attempt, row) => {
      const noise = ascent.norm.sample(streamOf(problem, attempt), size, ascent.epsilon);
      for (let i = 0; i < size; i++) first[row * size + i] += noise[i];
    });
  }
  return tf.tidy(() => region.project(tf.tensor4d(first, [rows.length, ...imageShape(shape)])));
}

type Iterate = {
  readonly adversarial: Tensor4D;
  /** The accumulated gradient, where the attack has momentum. */
  readonly velocity?: Tensor4D;
};

/**
 * x ← Π(x + stepSize · steepest(v)), v ← momentum · v + g / mean |g| (Dong et al. 2018, arXiv:1710.06081), or v = g
 * without momentum. It takes the gradient over; the result belongs to the caller.
 */
const move = (
  { momentum, stepSize }: Ascent,
  { onNonFinite }: Problem,
  region: Region,
  { adversarial, velocity }: Iterate,
  gradient: Tensor4D,
): Promise<Iterate> =>
  holding(async ({ hold, release }) => {
    const next = (direction: Tensor4D) =>
      tf.tidy(() => region.project(tf.add(adversarial, tf.mul(region.steepest(direction, adversarial), stepSize))));
    const slope = hold(await finiteGradient(hold(gradient), onNonFinite));
    if (momentum === 0) return { adversarial: next(slope) };
    // A momentum above 1 may take the sum beyond float32.
    const direction = hold(await finiteGradient(hold(accumulated(velocity, momentum, slope))));
    return { adversarial: next(direction), velocity: release(direction) };
  });

/** v ← momentum · v + g / mean |g|, owned by the caller. */
const accumulated = (velocity: Tensor4D | undefined, momentum: number, gradient: Tensor4D): Tensor4D =>
  tf.tidy(() => {
    const moderate = tf.mul(gradient, moderationOf(gradient));
    const unit = tf.div(moderate, orOne(tf.mean(tf.abs(moderate), [1, 2, 3], true))) as Tensor4D;
    return velocity ? (tf.add(tf.mul(velocity, momentum), unit) as Tensor4D) : unit;
  });
