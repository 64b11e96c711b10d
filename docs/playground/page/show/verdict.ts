// What became of a picture, in words.

import type { Outcome } from '../../worker/protocol.ts';
import { indexOfLargest } from '../outcomes.ts';
import type { Shown, Verdict } from './column.ts';

/** The verdict on a model in a few words. */
export function verdictOf(outcome: Outcome, goal: number | null, className: (index: number) => string): Verdict {
  const { before, after, label } = outcome;
  const [was, is] = [indexOfLargest(before), indexOfLargest(after)];
  if (was === goal) return { text: 'as it was', tone: 'good' };
  if (was !== label) return { text: 'misread as it is', tone: 'bad' };
  if (is === label) return { text: 'holds', tone: 'good' };
  return { text: goal !== null && is !== goal ? `not ${className(goal)}` : 'falls', tone: 'bad' };
}

/** The verdict as a part of a sentence that begins with the model. */
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
