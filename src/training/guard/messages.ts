// What the guard says about a collapse.

import type { AttackPlan } from '../adversary/plan.ts';
import { type GuardState, MOST_COLLAPSES } from './rule.ts';

const percent = (fraction: number): string => `${(100 * fraction).toFixed(1)} %`;

const found = ({ best }: GuardState, accuracy: number): string =>
  `The network collapsed (catastrophic overfitting): on training images its accuracy under PGD-10 is ${percent(accuracy)}, and at two checks in a row it was below half of its best, ${percent(best)}.`;

/** The message of a run that goes back and continues with `attack`. */
export function collapsed(guard: GuardState, accuracy: number, { steps, stepSize }: AttackPlan): string {
  const where = guard.safe === 0 ? 'its start' : `the end of epoch ${guard.safe}`;
  return `${found(guard, accuracy)} Training returns to ${where} and continues with the attack pgd of ${steps} steps, each of size ${Number(stepSize.toPrecision(3))}.`;
}

/** The warning of a run that has gone back as often as it may. */
export const collapsedForGood = (guard: GuardState, accuracy: number): string =>
  `${found(guard, accuracy)} Training has returned ${MOST_COLLAPSES} times already and continues as it is. Train with more attack steps (--steps 7), or with a smaller epsilon or learning rate.`;
