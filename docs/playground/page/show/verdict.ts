// What became of a picture, in words.

import type { Outcome } from '../../worker/protocol.ts';
import type { Shown, Verdict } from './column.ts';

const indexOfLargest = (values: Float32Array): number => values.indexOf(Math.max(...values));

/** True if the attack reached its goal: the class `goal`, or any but the true one where that is null. */
export function fell({ after, label }: Outcome, goal: number | null): boolean {
  const is = indexOfLargest(after);
  return goal === null ? is !== label : is === goal;
}

/**
 * Of the outcomes within a radius that of the strongest attack: one that reached its goal before any other, then the one that is
 * closest to it. What is found within a smaller radius lies within a larger one too.
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

export const probabilityOfLabel = ({ after, label }: Outcome): number => after[label] ?? 0;

/** The verdict on a model in a few words. */
export function verdictOf(outcome: Outcome, goal: number | null, className: (index: number) => string): Verdict {
  const { before, after, label } = outcome;
  const [was, is] = [indexOfLargest(before), indexOfLargest(after)];
  if (was === goal) return { text: 'as it was', tone: 'good' };
  if (was !== label) return { text: 'misread as it is', tone: 'bad' };
  if (is === label) return { text: 'holds', tone: 'good' };
  return { text: goal !== null && is !== goal ? `not ${className(goal)}` : 'falls', tone: 'bad' };
}

/** The same as a part of a sentence that begins with the model. */
export function sentenceOf(
  subject: string,
  { outcome, className }: Extract<Shown, { kind: 'outcome' }>,
  goal: number | null,
): string {
  const { before, after, label } = outcome;
  const [was, is] = [indexOfLargest(before), indexOfLargest(after)];
  if (was === goal) return `${subject} reads ${className(was)} already, so there is nothing to attack`;
  if (was !== label) return `${subject} reads the ${className(label)} as ${className(was)} without any attack`;
  return is === label
    ? `${subject} still reads ${className(is)}`
    : `${subject} reads the ${className(label)} as ${className(is)}`;
}
