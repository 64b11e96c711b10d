// What a page of a single run shows first: its figures, and its accuracy under each attack.

import { duration } from '../../core/quantities.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { headlineCells, type ReportGroup } from '../report-data.ts';
import type { ResultRow } from '../tables/results.ts';
import { formatSparsity, percent } from '../tables/table.ts';
import { type Html, html } from './html.ts';
import { drawInterval } from './interval.ts';
import { compact, isUnion } from './names.ts';
import { type Column, type Section, table } from './page-parts.ts';

/** Width in pixels of the scale in a table of few columns. */
const WIDTH = 240;

/** The figures of a single run; null if it was not attacked. */
export function runTiles(group: ReportGroup): Html | null {
  const [cell] = headlineCells(group);
  if (cell === undefined) return null;
  const [row] = cell.rows;
  const interval = (low: number | null, high: number | null): string =>
    low === null || high === null ? '' : `${percent(low)} to ${percent(high)} %`;
  const tiles = [
    {
      name: `robust, ε ${formatEpsilon(group.epsilon)}`,
      figure: `${percent(cell.robust.mean)} %`,
      more: interval(row.robust_low, row.robust_high),
    },
    { name: 'clean', figure: `${percent(cell.clean.mean)} %`, more: interval(row.clean_low, row.clean_high) },
    {
      name: 'weights',
      figure: compact(row.nonzeros) || '–',
      more: row.sparsity_actual === null ? '' : `${formatSparsity(Number(row.sparsity_actual.toFixed(4)))} sparse`,
    },
    { name: 'multiply-adds', figure: compact(row.flops) || '–', more: 'an image' },
    {
      name: 'training',
      figure: row.train_seconds === null ? '–' : duration(row.train_seconds),
      more: row.epoch === null ? '' : `to epoch ${row.epoch}`,
    },
  ];
  return html`<dl class="tiles">${tiles.map(
    ({ name, figure, more }) =>
      html`<div class="tile"><dt>${name}</dt><dd class="figure">${figure}</dd><dd class="muted small">${more}</dd></div>`,
  )}</dl>`;
}

/** Accuracy under each attack and without one; null if the run was not attacked. */
export function attacksSection(group: ReportGroup): Section | null {
  const rows = group.results.filter(
    ({ group: name, checkpoint, n, attack_seed }) =>
      name === group.name &&
      checkpoint === group.checkpoint &&
      n === group.protocol?.n &&
      attack_seed === group.protocol?.attack_seed,
  );
  if (rows.length === 0) return null;
  interface Entry {
    readonly name: string;
    readonly value: number | null;
    readonly low: number | null;
    readonly high: number | null;
    readonly row: ResultRow | null;
  }
  const [{ clean_accuracy, clean_low, clean_high }] = rows;
  const entries: Entry[] = [
    { name: 'no attack', value: clean_accuracy, low: clean_low, high: clean_high, row: null },
    ...rows
      .toSorted((a, b) => Number(isUnion(a)) - Number(isUnion(b)))
      .map((row) => ({
        name: isUnion(row) ? 'all attacks together' : row.attacks,
        value: row.robust_accuracy,
        low: row.robust_low,
        high: row.robust_high,
        row,
      })),
  ];
  const columns: Column<Entry>[] = [
    { title: 'attack', left: true, cell: ({ name }) => name },
    {
      title: 'accuracy',
      cell: ({ value, low, high, row }) =>
        html`<span class="robust">${drawInterval({
          low: low ?? Number.NaN,
          high: high ?? Number.NaN,
          mean: value ?? Number.NaN,
          seeds: [],
          width: WIDTH,
          color: row !== null && isUnion(row) ? 'var(--agent)' : 'var(--muted)',
        })}<b>${percent(value ?? Number.NaN)} %</b></span>`,
    },
    { title: 'steps', cell: ({ row }) => row?.steps ?? '' },
    { title: 'restarts', cell: ({ row }) => row?.restarts ?? '' },
    { title: 'images', cell: ({ row }) => row?.n ?? '' },
  ];
  return {
    id: 'attacks',
    title: 'Attack by attack',
    body: html`<p>The share of test images that are right without attack and under each attack, with its 95 % interval over the images, on a scale from 0 to 100 %.</p>
<div class="card fit">${table(null, columns, entries)}</div>`,
  };
}
