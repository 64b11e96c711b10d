// Asking the model about images in plain memory.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { holding } from '../support/tensor-scope.ts';
import type { Loss } from '../types.ts';
import { expectedGradient, expectedLoss } from './expectation.ts';
import { makeFinite } from './finite-gradient.ts';
import { disposeGoal, goalTensors, type ReadGoal } from './goals.ts';
import { largestOf } from './predictions.ts';
import { type Clean, comparable, imageShape, type Problem, sizeOf, takeFlat } from './problem.ts';

/** An image to ask the model about. */
export interface Candidate {
  /** Which image of the batch it belongs to. */
  readonly image: number;
  readonly pixels: Float32Array;
}

/** What the model says of a candidate. */
export interface Answer {
  readonly loss: number;
  readonly prediction: number;
  readonly logits: Float32Array;
}

/** What the model says of a candidate, and how its loss changes with its pixels: finite, by the rule of `makeFinite`. */
export interface GradientAnswer extends Answer {
  readonly gradient: Float32Array;
}

/** What the model is asked about candidates. */
export interface Question {
  readonly loss: Loss;
  /** One class a candidate, and for a targeted loss the label. */
  readonly goal: ReadGoal;
}

/** Forward passes: one, or the mean of several for a model that is random. */
export const ask = (
  problem: Problem,
  clean: Clean,
  { loss, goal }: Question,
  candidates: readonly Candidate[],
): Promise<Answer[]> =>
  holding(async ({ hold }) => {
    const asked = present(problem, clean, loss, goal, candidates);
    try {
      const here = await expectedLoss(problem, { loss, ...asked });
      for (const tensor of Object.values(here)) hold(tensor);
      return answers(await here.loss.data(), await here.logits.data());
    } finally {
      asked.dispose();
    }
  });

/** Forward and backward passes: one of each, or the mean of several for a model that is random. */
export const askGradient = (
  problem: Problem,
  clean: Clean,
  { loss, goal }: Question,
  candidates: readonly Candidate[],
): Promise<GradientAnswer[]> =>
  holding(async ({ hold }) => {
    const asked = present(problem, clean, loss, goal, candidates);
    const size = sizeOf(problem.shape);
    try {
      const here = await expectedGradient(problem, { loss, ...asked });
      for (const tensor of Object.values(here)) hold(tensor);
      const slopes = await here.gradient.data<'float32'>();
      const gradients = candidates.map((_, i) => slopes.slice(i * size, (i + 1) * size));
      const mended = gradients.filter(makeFinite).length;
      if (mended > 0) problem.onNonFinite?.(mended);
      return answers(await here.loss.data(), await here.logits.data()).map((answer, i) => ({
        ...answer,
        gradient: gradients[i],
      }));
    } finally {
      asked.dispose();
    }
  });

function answers(loss: ArrayLike<number>, logits: ArrayLike<number>): Answer[] {
  const classes = logits.length / loss.length;
  const values = Float32Array.from(logits);
  return Array.from(comparable(loss), (value, i) => {
    const own = values.subarray(i * classes, (i + 1) * classes);
    return { loss: value, logits: own, prediction: largestOf(own) };
  });
}

/** Candidates as tensors. */
function present({ shape }: Problem, clean: Clean, loss: Loss, goal: ReadGoal, candidates: readonly Candidate[]) {
  const size = sizeOf(shape);
  const pixels = new Float32Array(candidates.length * size);
  candidates.forEach((candidate, i) => {
    pixels.set(candidate.pixels, i * size);
  });
  const images = tf.tensor4d(pixels, [candidates.length, ...imageShape(shape)]) as Tensor4D;
  const goals = goalTensors(goal);
  const of = candidates.map(({ image }) => image);
  const cleanLogits = loss.needsCleanLogits
    ? tf.tensor2d(takeFlat(clean.logits, of, clean.classes), [of.length, clean.classes])
    : undefined;
  return {
    images,
    goals,
    cleanLogits,
    dispose() {
      images.dispose();
      disposeGoal(goals);
      cleanLogits?.dispose();
    },
  };
}
