// Attacks one after another on a batch of images, and the model's verdict on each: who survives, predicted again.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import { foldIn, type Key } from '../../src/core/key.ts';
import { disposeGoal, goalTensors, type ReadGoal, takeGoal } from '../loops/goals.ts';
import { takeRows } from '../loops/rows.ts';
import type { Attack, AttackedModel, AttackProgress, PerturbOptions } from '../types.ts';
import { type UnderAttack, underAttack } from './under-attack.ts';

/** An attack, and its name in results. */
export type NamedAttack = readonly [name: string, attack: Attack];

/** The model's verdict on one attack. */
export interface Verdict extends UnderAttack {
  /** The attack's name. */
  readonly name: string;
  /** The rows of the batch that were attacked, ascending. `adversarial` and `survived` have a row for each. */
  readonly rows: readonly number[];
}

export interface VerdictsOptions extends Pick<PerturbOptions, 'start' | 'mode' | 'onCost' | 'onNonFinite' | 'signal'> {
  /** Attack `name` has the key `foldIn(key, name)`. */
  readonly key: Key;
  /** The images' numbers in their data set, one for each row of the batch. */
  readonly samples: readonly number[];
  /** The rows that the first attack gets, ascending. */
  readonly rows: readonly number[];
  /** The rows that later attacks get: those that survived all attacks before, or all rows. */
  readonly later: 'survivors' | 'all';
  /** Called after every step of an attack. */
  readonly onProgress?: (progress: AttackProgress, attack: NamedAttack) => void;
}

/**
 * Runs attacks one after another on rows of a batch, and yields the verdict on each, until no row is left. The adversarial
 * images of a verdict are freed when the next one is asked for, or when no more are.
 *
 * @param attacks by different names
 * @param images [batch, height, width, channels]; borrowed
 */
export async function* verdicts(
  model: AttackedModel,
  attacks: readonly NamedAttack[],
  images: Tensor4D,
  goal: ReadGoal,
  { key, samples, rows: first, later, start, onProgress, ...options }: VerdictsOptions,
): AsyncGenerator<Verdict, void> {
  let rows = first;
  for (const named of attacks) {
    const [name, attack] = named;
    if (rows.length === 0) return;
    const own = goalTensors(takeGoal(goal, rows));
    const attacked = takeRows(images, rows);
    const from = start && takeRows(start, rows);
    let result: UnderAttack;
    try {
      result = await underAttack(model, attack, attacked, own, {
        ...options,
        key: foldIn(key, name),
        samples: rows.map((row) => samples[row]),
        start: from,
        onProgress: onProgress && ((progress) => onProgress(progress, named)),
      });
    } finally {
      disposeGoal(own);
      attacked.dispose();
      from?.dispose();
    }
    const { survived, adversarial } = result;
    try {
      yield { ...result, name, rows };
    } finally {
      adversarial.dispose();
    }
    if (later === 'survivors') rows = rows.filter((_, i) => survived[i]);
  }
}
