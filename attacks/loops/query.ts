// Asking the model about images in plain memory.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { holding } from '../support/tensor-scope.ts';
import type { Loss } from '../types.ts';
import { makeFinite } from './finite-gradient.ts';
import { disposeGoal, goalTensors, type ReadGoal } from './goals.ts';
import { lossAndLogits, lossGradient } from './loss-gradient.ts';
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

interface Question {
  readonly loss: Loss;
  /** One class a candidate, and for a targeted loss the label. */
  readonly goal: ReadGoal;
}

/** One forward pass. */
export const ask = (
  problem: Problem,
  clean: Clean,
  { loss, goal }: Question,
  candidates: readonly Candidate[],
): Promise<Answer[]> =>
  holding(async ({ hold }) => {
    await problem.turn();
    const asked = present(problem, clean, loss, goal, candidates);
    try {
      const { loss: values, logits } = lossAndLogits(
        problem.classifier,
        loss,
        asked.goals,
        asked.images,
        asked.cleanLogits,
      );
      hold(values);
      hold(logits);
      problem.spend({ forwardPasses: candidates.length, inputGradients: 0 });
      return answers(await values.data(), await logits.data());
    } finally {
      asked.dispose();
    }
  });

/**
 * A forward and a backward pass, or the mean of several for a model that is random (expectation over transformation,
 * Athalye et al. 2018, arXiv:1802.00420).
 */
export const askGradient = (
  problem: Problem,
  clean: Clean,
  { loss, goal }: Question,
  candidates: readonly Candidate[],
  passes = 1,
): Promise<GradientAnswer[]> =>
  holding(async ({ hold }) => {
    const asked = present(problem, clean, loss, goal, candidates);
    const size = sizeOf(problem.shape);
    try {
      const sum = { gradient: new Float32Array(0), loss: new Float32Array(0), logits: new Float32Array(0) };
      for (let pass = 0; pass < passes; pass++) {
        await problem.turn();
        const here = lossGradient(problem.classifier, loss, asked.goals, asked.images, asked.cleanLogits);
        for (const tensor of Object.values(here)) hold(tensor);
        problem.spend({ forwardPasses: candidates.length, inputGradients: candidates.length });
        for (const part of ['gradient', 'loss', 'logits'] as const) {
          const given = (await here[part].data()) as Float32Array;
          // A pass that says nothing of a pixel leaves it to the others.
          const values =
            part === 'gradient' && passes > 1 ? given.map((slope) => (Number.isNaN(slope) ? 0 : slope)) : given;
          sum[part] = pass === 0 ? Float32Array.from(values) : sum[part].map((value, i) => value + values[i]);
          here[part].dispose();
        }
      }
      if (passes > 1) {
        for (const part of ['gradient', 'loss', 'logits'] as const)
          sum[part] = sum[part].map((value) => value / passes);
      }
      const gradients = candidates.map((_, i) => sum.gradient.slice(i * size, (i + 1) * size));
      const mended = gradients.filter(makeFinite).length;
      if (mended > 0) problem.onNonFinite?.(mended);
      return answers(sum.loss, sum.logits).map((answer, i) => ({ ...answer, gradient: gradients[i] }));
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
