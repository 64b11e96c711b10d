// What an attack is after, in plain memory.
import type { Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../src/core/errors.ts';
import { describe } from '../support/describe.ts';
import { readClasses } from '../support/labels.ts';
import type { GivenGoal, Goal, Labels } from '../types.ts';

/** A goal in plain memory, so that samples can be taken out of it. */
export interface ReadGoal {
  readonly kind: Goal['kind'];
  /** The labels of an untargeted goal, the targets of a targeted one. */
  readonly classes: Int32Array;
  /** The labels beside the targets, where they were given. */
  readonly labels?: Int32Array;
}

/** Reads and checks a goal for `batch` images; bare labels are untargeted. */
export async function readGoal(goal: GivenGoal, batch: number): Promise<ReadGoal> {
  if (!isRecord(goal)) return { kind: 'untargeted', classes: await readClasses('labels', goal, batch) };
  switch (goal.kind) {
    case 'untargeted':
      return { kind: 'untargeted', classes: await readClasses('labels', goal.labels, batch) };
    case 'targeted': {
      const classes = await readClasses('targets', goal.targets, batch);
      if (!goal.labels) return { kind: 'targeted', classes };
      return { kind: 'targeted', classes, labels: await readClasses('labels', goal.labels, batch) };
    }
    default:
      goal satisfies never;
      throw new InputError(
        `goal: expected labels, { kind: 'untargeted', labels } or { kind: 'targeted', targets }, got the kind ${describe((goal as { kind: unknown }).kind)}. Give one of these.`,
      );
  }
}

const isRecord = (goal: GivenGoal): goal is Exclude<GivenGoal, Labels> =>
  typeof goal === 'object' && goal !== null && 'kind' in goal;

/** Throws where a class is beyond those that the model knows. */
export function checkClasses({ kind, classes, labels }: ReadGoal, logits: Tensor2D): void {
  const count = logits.shape[1];
  checkKnown(kind === 'untargeted' ? 'labels' : 'targets', classes, count);
  if (labels) checkKnown('labels', labels, count);
}

/** Throws where one of these class numbers is not below `count`. */
export function checkKnown(name: string, classes: Int32Array, count: number): void {
  const beyond = classes.findIndex((number) => number >= count);
  if (beyond < 0) return;
  throw new InputError(
    `${name}: expected classes 0 … ${count - 1}, as many as the model has logits, got ${classes[beyond]} (number ` +
      `${beyond}). Give labels of the model's own classes.`,
  );
}

/** The goal of some of the samples, in order of `samples`. */
export const takeGoal = ({ kind, classes, labels }: ReadGoal, samples: readonly number[]): ReadGoal => ({
  kind,
  classes: Int32Array.from(samples, (sample) => classes[sample]),
  ...(labels && { labels: Int32Array.from(samples, (sample) => labels[sample]) }),
});

/** A goal as tensors, owned by the caller. */
export function goalTensors({ kind, classes, labels }: ReadGoal): Goal {
  const tensor = tf.tensor1d(classes, 'int32');
  if (kind === 'untargeted') return { kind, labels: tensor };
  return { kind, targets: tensor, ...(labels && { labels: tf.tensor1d(labels, 'int32') }) };
}

/** A goal with other tensors in place of its own. */
export function mapGoal(goal: Goal, map: (classes: Tensor1D) => Tensor1D): Goal {
  if (goal.kind === 'untargeted') return { kind: goal.kind, labels: map(goal.labels) };
  return { kind: goal.kind, targets: map(goal.targets), ...(goal.labels && { labels: map(goal.labels) }) };
}

export const disposeGoal = (goal: Goal): void => {
  if (goal.kind === 'targeted') goal.targets.dispose();
  goal.labels?.dispose();
};

/** True if a predicted class is what the goal asks for. */
export const meets = (kind: Goal['kind'], wanted: number, predicted: number): boolean =>
  (predicted === wanted) === (kind === 'targeted');
