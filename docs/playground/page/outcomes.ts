// What the outcomes of attacks say of a model: whether it fell, and which attack was the strongest.

import type { Outcome } from '../worker/protocol.ts';

export const indexOfLargest = (values: Float32Array): number => values.indexOf(Math.max(...values));

/** Probability of the true class after the attack. */
export const probabilityOfLabel = ({ after, label }: Outcome): number => after[label] ?? 0;

/** True if the attack reached its goal: the class `goal`, or any but the true one where that is null. */
export function fell({ after, label }: Outcome, goal: number | null): boolean {
  const is = indexOfLargest(after);
  return goal === null ? is !== label : is === goal;
}

/**
 * The outcome of the strongest attack within a radius; null if there is none. An attack that reached its goal is stronger than any
 * other, then the one that is closest to it. What is found within a smaller radius lies within a larger one too.
 */
export function strongest(
  outcomes: ReadonlyMap<number, Outcome>,
  epsilon: number,
  goal: number | null,
): Outcome | null {
  const left = (outcome: Outcome): number =>
    (goal === null ? probabilityOfLabel(outcome) : -outcome.after[goal]) - (fell(outcome, goal) ? 2 : 0);
  const within = [...outcomes].filter(([radius]) => radius <= epsilon).sort(([a], [b]) => b - a);
  return within.reduce<Outcome | null>(
    (best, [, outcome]) => (best === null || left(outcome) < left(best) ? outcome : best),
    null,
  );
}
