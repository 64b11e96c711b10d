// The table of all networks of a group, the most robust one first, and the same table as Markdown, CSV and LaTeX.

import type { Evaluation } from '../../../evaluation/types.ts';
import { headlineCells, type ReportGroup } from '../../report-data.ts';
import { type Cell, formatCsv } from '../../tables/csv.ts';
import type { SummaryCell } from '../../tables/summary.ts';
import { formatSparsity, percent } from '../../tables/table.ts';
import { type Html, html } from '../html.ts';
import { drawInterval } from '../interval.ts';
import { architecture, colorOf, compact, nameOf, sparsityOf } from '../names.ts';
import { type Column, type Section, table } from '../page-parts.ts';

interface Entry {
  readonly cell: SummaryCell;
  readonly rank: number;
  readonly training: string;
  /** Ends of the seeds' intervals over the test images, the lowest and the highest. */
  readonly low: number;
  readonly high: number;
  readonly checks: number;
  readonly raised: number;
}

/** The entries of a group's leaderboard, the most robust first. */
export function entriesOf(group: ReportGroup): Entry[] {
  return headlineCells(group)
    .toSorted((a, b) => b.robust.mean - a.robust.mean)
    .map((cell, i) => {
      const alarms = cell.rows.flatMap(({ run }) => alarmsOf(group, run));
      return {
        cell,
        rank: i + 1,
        training: nameOf(group.series, cell),
        low: Math.min(...cell.rows.map(({ robust_low }) => robust_low ?? Number.NaN)),
        high: Math.max(...cell.rows.map(({ robust_high }) => robust_high ?? Number.NaN)),
        checks: alarms.filter(({ status }) => status !== 'not checked').length,
        raised: alarms.filter(({ status }) => status === 'raised').length,
      };
    });
}

const alarmsOf = ({ runs, checkpoint, sha256 }: ReportGroup, name: string): Evaluation['alarms'] =>
  runs
    .filter((run) => run.name === name)
    .flatMap(({ evaluations }) => evaluations)
    .filter(({ target, dataset }) => target.checkpoint === checkpoint && dataset.sha256 === sha256)
    .flatMap(({ alarms }) => alarms);

const COLUMNS = [
  'rank',
  'network',
  'training',
  'method',
  'sparsity',
  'seeds',
  'clean (%)',
  'robust (%)',
  'robust low (%)',
  'robust high (%)',
  'weights',
  'multiply-adds',
  'training (s)',
  'alarms raised',
] as const;

type Row = Readonly<Record<(typeof COLUMNS)[number], Cell>>;

const tenth = (value: number | null): number | null => (value === null ? null : Number(value.toFixed(1)));

/** The leaderboard as plain cells, for other programs. */
export const plainRows = (entries: readonly Entry[]): Row[] =>
  entries.map(({ cell, rank, training, low, high, raised }) => ({
    rank,
    network: architecture(cell.setting),
    training,
    method: cell.setting.method,
    sparsity: cell.setting.sparsity,
    seeds: cell.rows.length,
    'clean (%)': tenth(100 * cell.clean.mean),
    'robust (%)': tenth(100 * cell.robust.mean),
    'robust low (%)': tenth(100 * low),
    'robust high (%)': tenth(100 * high),
    weights: cell.costs.nonzeros === null ? null : Math.round(cell.costs.nonzeros),
    'multiply-adds': cell.costs.flops === null ? null : Math.round(cell.costs.flops),
    'training (s)': tenth(cell.costs.train_seconds),
    'alarms raised': raised,
  }));

/** A cell as Markdown, where a bar would end it. */
const markdown = (cell: Cell): string =>
  String(cell ?? '')
    .replace(/[\\|`*_<>[\]]/g, '\\$&')
    .replace(/\s+/g, ' ');

export const toMarkdown = (rows: readonly Row[]): string =>
  [
    COLUMNS.map(markdown),
    COLUMNS.map((column) => (typeof rows[0]?.[column] === 'number' ? '---:' : '---')),
    ...rows.map((row) => COLUMNS.map((column) => markdown(row[column]))),
  ]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');

const TEX: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '~': '\\textasciitilde{}',
  '^': '\\textasciicircum{}',
  '×': '$\\times$',
  ε: '$\\varepsilon$',
  γ: '$\\gamma$',
  α: '$\\alpha$',
  '−': '$-$',
};

/** A cell as LaTeX, whose own signs are written out. */
const latex = (cell: Cell): string =>
  String(cell ?? '')
    .replace(/[\\~^×εγα−&%$#_{}]/g, (sign) => TEX[sign] ?? `\\${sign}`)
    .replace(/\s+/g, ' ');

/** A table for the package booktabs. */
export function toLatex(rows: readonly Row[]): string {
  const line = (cells: readonly string[]) => `  ${cells.join(' & ')} \\\\`;
  const alignment = COLUMNS.map((column) => (typeof rows[0]?.[column] === 'number' ? 'r' : 'l')).join('');
  return [
    `\\begin{tabular}{${alignment}}`,
    '  \\toprule',
    line(COLUMNS.map(latex)),
    '  \\midrule',
    ...rows.map((row) => line(COLUMNS.map((column) => latex(row[column])))),
    '  \\bottomrule',
    '\\end{tabular}',
    '',
  ].join('\n');
}

/** The networks of a group; null if none was attacked. */
export function leaderboardSection(group: ReportGroup): Section | null {
  const entries = entriesOf(group);
  if (entries.length === 0) return null;
  const known = (value: number | null) => value ?? '';
  const cost = (
    title: string,
    column: keyof SummaryCell['costs'],
    show: (value: number | null) => string,
  ): Column<Entry> => ({
    title,
    cell: ({ cell }) => show(cell.costs[column]),
    value: ({ cell }) => known(cell.costs[column]),
  });
  const columns: Column<Entry>[] = [
    { title: '#', cell: ({ rank }) => rank, value: ({ rank }) => rank },
    { title: 'network', left: true, cell: ({ cell }) => architecture(cell.setting) },
    {
      title: 'training',
      left: true,
      cell: ({ cell, training }) =>
        html`<span class="series" style="--mark:${colorOf(group, cell)}"></span>${training}`,
      value: ({ training }) => training,
    },
    { title: 'method', left: true, cell: ({ cell }) => cell.setting.method },
    { title: 'sparsity', cell: ({ cell }) => formatSparsity(sparsityOf(cell)), value: ({ cell }) => sparsityOf(cell) },
    { title: 'clean', cell: ({ cell }) => `${percent(cell.clean.mean)} %`, value: ({ cell }) => cell.clean.mean },
    {
      title: 'robust',
      cell: (entry) => showRobust(group, entry),
      value: ({ cell }) => cell.robust.mean,
    },
    cost('weights', 'nonzeros', compact),
    cost('multiply-adds', 'flops', compact),
    cost('time', 'train_seconds', shortTime),
    {
      title: 'alarms',
      cell: ({ raised, checks }) =>
        raised > 0
          ? html`<span class="bad">${raised}</span>`
          : html`<span class="muted">${checks === 0 ? '–' : 0}</span>`,
      value: ({ raised }) => raised,
    },
  ];
  const seeds = new Set(entries.map(({ cell }) => cell.rows.length));
  const several = [...seeds].some((count) => count > 1);
  const caption = several
    ? 'Means over seeds. The line in a row runs from the lowest to the highest end of the seeds’ 95\u00a0% intervals over the test images; a tick is a seed, the dot their mean. It shows how far the figures are apart, and does not compare trainings.'
    : 'The line in a row is the 95\u00a0% interval over the test images, on a scale from 0 to 100 %. It does not compare trainings.';
  const rows = plainRows(entries);
  return {
    id: 'leaderboard',
    title: 'Leaderboard',
    body: html`<p class="small muted">${caption}</p>
<div class="card">${table(null, columns, entries, { sortable: true })}</div>
<div class="copies">${copy('Markdown', toMarkdown(rows))}${copy('CSV', formatCsv(COLUMNS, rows))}${copy('LaTeX', toLatex(rows))}</div>`,
  };
}

/** Seconds in one unit, such as `12 min`. */
const shortTime = (seconds: number | null): string =>
  seconds === null
    ? ''
    : seconds < 100
      ? `${seconds.toPrecision(2)} s`
      : seconds < 6000
        ? `${Math.round(seconds / 60)} min`
        : `${(seconds / 3600).toPrecision(2)} h`;

const showRobust = (group: ReportGroup, { cell, low, high }: Entry): Html =>
  html`<span class="robust">${drawInterval({
    low,
    high,
    mean: cell.robust.mean,
    seeds: cell.rows.flatMap(({ robust_accuracy }) => robust_accuracy ?? []),
    color: colorOf(group, cell),
    width: 92,
  })}<b>${percent(cell.robust.mean)} %</b></span>`;

const copy = (format: string, text: string): Html =>
  html`<details><summary>Copy as ${format}</summary><pre class="copy" tabindex="0">${text}</pre></details>`;
