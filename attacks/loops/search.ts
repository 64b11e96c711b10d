// The attempts at a batch of images, stacked into it and judged one by one.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Attack } from '../types.ts';
import { meets } from './goals.ts';
import {
  type Attacker,
  type Attempt,
  attempts,
  type Clean,
  cleanOutputs,
  type Problem,
  readProblem,
  sizeOf,
} from './problem.ts';

/** What became of an attempt. */
export interface Outcome extends Attempt {
  /** True if its image needs no further attempt. */
  readonly success: boolean;
  /** The score by which attempts at an image are compared; the attempt with the highest score is kept. */
  readonly score: number;
  readonly adversarial: Float32Array;
}

/** An attack as attempts at images, each judged by itself. */
export interface Search extends Attacker {
  /** True if it searches the smallest perturbation, and so leaves images alone that meet the goal, in both modes. */
  readonly smallest?: true;
  /** Attempts at an image, at most. */
  readonly attempts: (problem: Problem, clean: Clean) => number;
  /**
   * Runs attempts side by side. What it returns for one must depend neither on the others at other images nor on higher
   * ones at the same; an attempt without outcome leaves its image as it is.
   */
  readonly run: (problem: Problem, clean: Clean, attempted: readonly Attempt[]) => Promise<readonly Outcome[]>;
}

/** The `perturb` of an attack that is a search. */
export const searching =
  (search: Search): Attack['perturb'] =>
  async (model, images, goal, options = {}) => {
    const problem = await readProblem(search, model, images, goal, options);
    return images.shape[0] === 0 ? tf.clone(images) : findBest(search, problem);
  };

/**
 * Attempts images until one succeeds: the lowest successful attempt counts, else that of highest score. In mode
 * `evaluate` an image that already meets the goal is left alone. Attempts at the images that are left are stacked as long
 * as they fit the batch.
 */
export async function findBest(search: Search, problem: Problem): Promise<Tensor4D> {
  const { pixels, shape, goal, mode } = problem;
  const [batch] = shape;
  const size = sizeOf(shape);
  const clean = await cleanOutputs(problem);
  const result = Float32Array.from(pixels);
  const best = new Float32Array(batch).fill(Number.NEGATIVE_INFINITY);
  let left = clean.predictions.flatMap((predicted, i) =>
    (mode === 'evaluate' || search.smallest) && meets(goal.kind, goal.classes[i], predicted) ? [] : [i],
  );
  const total = search.attempts(problem, clean);
  for (let first = 0; first < total && left.length > 0; ) {
    const count = Math.min(total - first, Math.max(1, Math.floor(batch / left.length)));
    // Attempts side by side have each taken as many steps.
    const before = first;
    const tell: Problem['tell'] = (step, steps, rows) =>
      problem.tell(before * steps + count * step, total * steps, rows);
    const outcomes = await search.run({ ...problem, tell }, clean, attempts(left, first, count));
    const solved = new Set<number>();
    for (const { image, score, success, adversarial } of outcomes) {
      if (solved.has(image) || !(success || score > best[image])) continue;
      if (success) solved.add(image);
      best[image] = score;
      result.set(adversarial, image * size);
    }
    left = left.filter((image) => !solved.has(image));
    first += count;
  }
  return tf.tensor4d(result, shape);
}

/** What became of attempts that run side by side: an image's lowest success ends its higher attempts. */
export function ledger() {
  const outcomes: Outcome[] = [];
  const firstSuccess = new Map<number, number>();
  return {
    /** True if an attempt can still count. */
    isOpen: ({ image, restart }: Attempt): boolean => restart < (firstSuccess.get(image) ?? Number.POSITIVE_INFINITY),
    settle(outcome: Outcome): void {
      const { image, restart, success } = outcome;
      outcomes.push(outcome);
      if (success) firstSuccess.set(image, Math.min(restart, firstSuccess.get(image) ?? restart));
    },
    /** Lower attempts first. */
    outcomes: (): readonly Outcome[] => outcomes.sort((a, b) => a.restart - b.restart),
  };
}
