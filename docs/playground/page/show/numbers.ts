// The table of an attack's numbers: distances, cost, and the probability of each class before and after.

import type { Outcome } from '../../worker/protocol.ts';
import { make } from '../elements.ts';
import { percent } from './column.ts';

export interface Numbered {
  readonly title: string;
  readonly className: (index: number) => string;
  readonly outcome: Outcome;
}

/** At most so many classes are listed. */
const CLASSES = 10;

const FIGURES: Readonly<Record<string, (outcome: Outcome, backend: string) => string>> = {
  'distance in linf': ({ distances: { linf } }) => `${linf.toFixed(4)} (${(255 * linf).toFixed(1)}/255)`,
  'distance in l2': ({ distances: { l2 } }) => l2.toFixed(3),
  'distance in l1': ({ distances: { l1 } }) => l1.toFixed(2),
  'forward passes': ({ forwardPasses }) => String(forwardPasses),
  gradients: ({ inputGradients }) => String(inputGradients),
  time: ({ milliseconds }, backend) => `${milliseconds.toFixed(0)} ms on ${backend}`,
};

/** Fills the table: a column for each model. */
export function showNumbers(table: HTMLTableElement, models: readonly Numbered[], backend: string): void {
  const row = (title: string, cell: (model: Numbered) => string) =>
    make('tr', {}, make('th', { scope: 'row' }, title), ...models.map((model) => make('td', {}, cell(model))));
  const largest = models.map(({ outcome: { before, after } }) => {
    const classes = [...before.keys()];
    return classes.length <= CLASSES
      ? classes
      : classes.sort((a, b) => Math.max(before[b], after[b]) - Math.max(before[a], after[a])).slice(0, CLASSES);
  });
  const classes = [...new Set(largest.flat())];
  table.replaceChildren(
    make('thead', {}, make('tr', {}, make('td'), ...models.map(({ title }) => make('th', { scope: 'col' }, title)))),
    make(
      'tbody',
      {},
      ...classes.map((index) =>
        row(models[0].className(index), ({ outcome: { before, after } }) =>
          index in before ? `${percent(before[index])} → ${percent(after[index])}` : '–',
        ),
      ),
      ...Object.entries(FIGURES).map(([title, figure]) => row(title, ({ outcome }) => figure(outcome, backend))),
    ),
  );
}
