import type { Tensor, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import type { Goal } from './types.ts';

/** A goal in plain memory, so that samples can be taken out of it. */
export interface ReadGoal {
  readonly kind: Goal['kind'];
  /** The labels of an untargeted goal, the targets of a targeted one. */
  readonly classes: Int32Array;
  /** The labels beside the targets, where they were given. */
  readonly labels?: Int32Array;
}

/** Reads and checks a goal for `batch` images; a bare tensor of labels is untargeted. */
export async function readGoal(goal: Goal | Tensor1D, batch: number): Promise<ReadGoal> {
  if (goal instanceof tf.Tensor) {
    return { kind: 'untargeted', classes: await readClasses('labels', goal, batch) };
  }
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
        "A goal is a tensor of labels, { kind: 'untargeted', labels } or { kind: 'targeted', targets }.",
      );
  }
}

/** The class numbers of a tensor [batch]; throws for one-hot rows, fractions and negative numbers. */
export async function readClasses(name: string, tensor: Tensor, batch: number): Promise<Int32Array> {
  if (tensor.rank === 2 && tensor.shape[0] === batch) {
    throw new InputError(
      `${name} are class numbers [${batch}]; [${tensor.shape}] came, which looks one-hot. Pass tf.argMax(${name}, -1), ` +
        `the argMax(-1) of it.`,
    );
  }
  if (tensor.rank !== 1 || tensor.shape[0] !== batch) {
    throw new InputError(`${name} are class numbers [${batch}], one an image; [${tensor.shape}] came.`);
  }
  const values = await tensor.data();
  values.forEach((value, i) => {
    if (!(Number.isInteger(value) && value >= 0)) {
      throw new InputError(`${name} are class numbers from 0; number ${i} is ${value}.`);
    }
  });
  return Int32Array.from(values);
}

/** Throws where a class is beyond those that the model knows. */
export function checkClasses({ kind, classes, labels }: ReadGoal, logits: Tensor2D): void {
  const count = logits.shape[1];
  for (const [name, numbers] of [
    [kind === 'untargeted' ? 'labels' : 'targets', classes],
    ['labels', labels ?? []],
  ] as const) {
    const beyond = numbers.findIndex((number) => number >= count);
    if (beyond >= 0) {
      throw new InputError(
        `The model has ${count} classes, 0 … ${count - 1}; ${name} hold ${numbers[beyond]} (number ${beyond}).`,
      );
    }
  }
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

export const disposeGoal = (goal: Goal): void => {
  if (goal.kind === 'targeted') goal.targets.dispose();
  goal.labels?.dispose();
};

/** Whether a predicted class is what the goal asks for. */
export const meets = (kind: Goal['kind'], wanted: number, predicted: number): boolean =>
  (predicted === wanted) === (kind === 'targeted');
