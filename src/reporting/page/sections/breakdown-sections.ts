// The sections of a single run's page on classes: how robust each is, and which is taken for which.

import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import { accuracyOf } from '../../../evaluation/intervals.ts';
import type { Breakdown } from '../../breakdown.ts';
import { percent } from '../../tables/table.ts';
import { type Html, html } from '../html.ts';
import { drawInterval } from '../interval.ts';
import { type Column, type Section, table } from '../page-parts.ts';

/** The largest number of classes with a confusion matrix. With more classes the page lists the most frequent confusions. */
const MOST_CLASSES = 20;
const LISTED = 12;

export const breakdownSections = (breakdown: Breakdown | null): Section[] =>
  breakdown === null ? [] : [classesSection(breakdown), confusionSection(breakdown)];

function classesSection({ classes, perClass }: Breakdown): Section {
  const entries = perClass
    .map((counts, label) => ({ ...counts, name: classes[label] }))
    .filter(({ images }) => images > 0)
    .map((entry) => ({ ...entry, accuracy: accuracyOf(entry.robust, entry.images) }))
    .sort((a, b) => b.accuracy.value - a.accuracy.value);
  const columns: Column<(typeof entries)[number]>[] = [
    { title: 'class', left: true, cell: ({ name }) => name },
    {
      title: 'robust',
      cell: ({ accuracy: { value, low, high } }) =>
        html`<span class="robust">${drawInterval({ low, high, mean: value, seeds: [], color: 'var(--agent)', width: 240 })}<b>${percent(value)} %</b></span>`,
      value: ({ accuracy }) => accuracy.value,
    },
    {
      title: 'clean',
      cell: ({ clean, images }) => `${percent(clean / images)} %`,
      value: ({ clean, images }) => clean / images,
    },
    { title: 'images', cell: ({ images }) => images, value: ({ images }) => images },
  ];
  return {
    id: 'classes',
    title: 'Class by class',
    body: html`<p>The share of each class's test images that survive all attacks of the evaluation together, with its 95 % interval, on a scale from 0 to 100 %. The most robust class stands first.</p>
<div class="card fit">${table(null, columns, entries, { sortable: true })}</div>`,
  };
}

function confusionSection({ classes, confusion: { attack, clean, adversarial }, norm, epsilon }: Breakdown): Section {
  const images = clean.flat().reduce((sum, value) => sum + value, 0);
  const pair = [
    { title: 'Without attack', counts: clean },
    { title: `Under ${attack}`, counts: adversarial },
  ];
  const draw = classes.length <= MOST_CLASSES ? matrixOf : listOf;
  return {
    id: 'confusion',
    title: 'Confusion',
    body: html`<p>Predictions on ${images} test images, before and after ${attack} within ε ${formatEpsilon(epsilon)} (${norm}). Rows are the true classes.</p>
<div class="charts">${pair.map(({ title, counts }) => html`<figure><figcaption>${title}</figcaption>${draw(classes, counts, title)}</figure>`)}</div>`,
  };
}

function matrixOf(classes: readonly string[], counts: readonly (readonly number[])[], title: string): Html {
  const short = classes.map((name) => (name.length > 5 ? name.slice(0, 4) : name));
  return html`<div class="scroll" tabindex="0" role="group" aria-label="Confusion, ${title}"><table class="confusion">
<thead><tr><td></td>${short.map((name, i) => html`<th scope="col"><abbr title="${classes[i]}">${name}</abbr></th>`)}</tr></thead>
<tbody>${counts.map((row, label) => {
    const total = row.reduce((sum, value) => sum + value, 0);
    return html`<tr><th scope="row">${classes[label]}</th>${row.map(
      (value, predicted) =>
        html`<td class="${predicted === label ? 'right' : 'wrong'}" style="--share:${(total === 0 ? 0 : value / total).toFixed(3)}">${value === 0 ? '' : value}</td>`,
    )}</tr>`;
  })}</tbody></table></div>`;
}

/** The confusions that are most frequent. */
function listOf(classes: readonly string[], counts: readonly (readonly number[])[]): Html {
  const found = counts
    .flatMap((row, label) => row.map((value, predicted) => ({ label, predicted, value })))
    .filter(({ label, predicted, value }) => label !== predicted && value > 0)
    .sort((a, b) => b.value - a.value)
    .slice(0, LISTED);
  return table(
    null,
    [
      { title: 'class', left: true, cell: ({ label }: (typeof found)[number]) => classes[label] },
      { title: 'taken for', left: true, cell: ({ predicted }) => classes[predicted] },
      { title: 'images', cell: ({ value }) => value },
    ],
    found,
  );
}
