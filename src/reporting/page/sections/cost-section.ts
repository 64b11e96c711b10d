// Clean and robust accuracy against what a network costs: sparsity, weights, multiply-adds, size of its file, or seconds of
// training. All of these charts are in the page, and radio buttons show one of them, without any script.

import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import type { Series } from '../../charts/series.ts';
import { headlineCells, type ReportGroup } from '../../report-data.ts';
import { mean } from '../../statistics/statistics.ts';
import type { ResultRow } from '../../tables/results.ts';
import type { SummaryCell } from '../../tables/summary.ts';
import { formatSparsity, formatSpread, percent } from '../../tables/table.ts';
import { type CostAxis, type CostChart, costChart, type EndLabel } from '../charts.ts';
import { html } from '../html.ts';
import { compact, nameOf, sparsityOf } from '../names.ts';
import { legend, type Section } from '../page-parts.ts';
import { plot } from '../plots.ts';

/** What accuracy is drawn against. */
interface Cost {
  readonly name: string;
  value(row: ResultRow): number | null;
  show(value: number): string;
  readonly axis: CostAxis;
}

const SPARSITY: Cost = {
  name: 'sparsity',
  value: ({ sparsity }) => sparsity,
  show: (value) => `${formatSparsity(value)} sparse`,
  axis: { title: 'sparsity' },
};

const COSTS: readonly Cost[] = [
  SPARSITY,
  {
    name: 'weights',
    value: ({ nonzeros }) => nonzeros,
    show: (value) => `${compact(value)} weights`,
    axis: { title: 'weights that are not zero' },
  },
  {
    name: 'multiply-adds',
    value: ({ flops }) => flops,
    show: (value) => `${compact(value)} multiply-adds`,
    axis: { title: "multiply-adds of an image's forward pass, at the nonzero weights" },
  },
  {
    name: 'file size',
    value: ({ bytes }) => bytes,
    show: (value) => `${compact(value)}B`,
    axis: { title: "bytes of the checkpoint's file" },
  },
  {
    name: 'training time',
    value: ({ train_seconds }) => train_seconds,
    show: (value) => `${value.toFixed(1)} s of training`,
    axis: { title: 'seconds of training' },
  },
];

/** An axis is logarithmic if its largest value is at least this many times its smallest. */
const LOGARITHMIC_FROM = 8;

const SIZES = {
  wide: { width: 700, height: 320 },
  narrow: { width: 186, height: 250 },
} as const;
/** Names at the ends of lines are left to the legend on a phone if one is longer. */
const SHORT_NAME = 11;

/** The chart that a page opens with; null if networks of one sparsity alone were attacked. */
export async function costSection(group: ReportGroup): Promise<Section | null> {
  const cells = headlineCells(group);
  const isLevel = (series: Series) => series.undefended && cellsOf(series).every((cell) => sparsityOf(cell) === 0);
  const cellsOf = (series: Series): SummaryCell[] => cells.filter(({ setting }) => series.matches(setting));
  const drawn = group.series.filter((series) => cellsOf(series).length > 0);
  const levels = drawn.filter(isLevel);
  const lines = drawn.filter((series) => !isLevel(series));
  const onLines = lines.flatMap((series) => cellsOf(series).map((cell) => ({ series, cell })));
  const sparsities = [...new Set(onLines.map(({ cell }) => sparsityOf(cell)))].sort((a, b) => a - b);
  if (sparsities.length < 2) return null;

  const costs = COSTS.filter(({ value }) =>
    onLines.every(({ cell }) => cell.rows.every((row) => (value(row) ?? 0) > 0 || value === SPARSITY.value)),
  );
  const figures = await Promise.all(
    costs.map(async (cost) => {
      const chart = (size: keyof typeof SIZES) => plot(costChart(contents(cost, size)), inWords(group, cells, cost));
      return html`<div class="choice-panel wide">${await chart('wide')}</div><div class="choice-panel narrow">${await chart('narrow')}</div>`;
    }),
  );

  /** What the chart against one cost is made of. */
  function contents(cost: Cost, size: keyof typeof SIZES): CostChart {
    const isSparsity = cost === SPARSITY;
    // Sparsities stand side by side at equal distances, and lines a little apart, so that no dot hides another.
    const apart = Math.min(0.04, 0.5 / lines.length);
    const shift = (series: Series) => apart * (lines.indexOf(series) - (lines.length - 1) / 2);
    const place = (series: Series, row: ResultRow) =>
      isSparsity ? sparsities.indexOf(row.sparsity ?? 0) + shift(series) : (cost.value(row) ?? Number.NaN);
    const seeds = onLines.flatMap(({ series, cell }) =>
      cell.rows.flatMap((row) =>
        (['clean', 'robust'] as const).map((kind) => {
          const y = row[`${kind}_accuracy`] ?? Number.NaN;
          return {
            kind,
            series: series.name,
            x: place(series, row),
            y,
            title: `${series.name}, ${cost.show(cost.value(row) ?? 0)}, seed ${row.seed}: ${percent(y)} % ${kind}`,
          };
        }),
      ),
    );
    const means = onLines.flatMap(({ series, cell }) =>
      (['clean', 'robust'] as const).map((kind) => ({
        kind,
        series: series.name,
        x: mean(cell.rows.map((row) => place(series, row))),
        y: cell[kind].mean,
        title: '',
      })),
    );
    const xs = seeds.map(({ x }) => x);
    const logarithmic = !isSparsity && Math.max(...xs) / Math.min(...xs) >= LOGARITHMIC_FROM;
    const names = [...lines, ...levels].map(({ name }) => name);
    const labelled = size === 'wide' || names.every((name) => name.length <= SHORT_NAME);
    const ends = lines.flatMap((series) => {
      const mine = means.filter((point) => point.series === series.name).toSorted((a, b) => a.x - b.x);
      return (['robust', 'clean'] as const).flatMap((kind): EndLabel[] => {
        const end = mine.filter((point) => point.kind === kind).at(-1);
        return end ? [{ ...labelOf(series, kind, size), y: end.y }] : [];
      });
    });
    const levelled = levels.flatMap((series) =>
      cellsOf(series).flatMap((cell) =>
        (['robust', 'clean'] as const).map((kind) => ({ series, kind, y: cell[kind].mean })),
      ),
    );
    return {
      ...SIZES[size],
      lines,
      means,
      seeds,
      levels: levelled.map(({ series, kind, y }) => ({ y, color: series.color, title: kind })),
      labels: labelled
        ? [...ends, ...levelled.map(({ series, kind, y }) => ({ ...labelOf(series, kind, size), strong: false, y }))]
        : [],
      axis: {
        ...cost.axis,
        title: size === 'narrow' ? cost.name : cost.axis.title,
        logarithmic,
        ...(isSparsity && { ticks: sparsities.map((value, i) => ({ value: i, label: formatSparsity(value) })) }),
      },
    };
  }

  const name = group.name.replace(/[^a-z0-9]+/gi, '-');
  const choices = costs.map(
    ({ name: title }, i) =>
      html`<label><input type="radio" name="cost-${name}" class="choice-${i + 1}"${i === 0 ? CHECKED : null}>${title}</label>`,
  );
  return {
    id: 'accuracy',
    title: 'Accuracy and cost',
    body: html`<figure class="choice">
<fieldset class="choices"><legend class="visually-hidden">What accuracy is drawn against</legend>${choices}</fieldset>
<ul class="legend key"><li><span class="swatch" style="--swatch:var(--text)"></span>robust, ε ${formatEpsilon(group.threat?.epsilon ?? 0)}</li><li><span class="swatch light" style="--swatch:var(--text)"></span>clean</li><li><span class="dot"></span>a seed</li></ul>
<div class="narrow">${legend([...lines, ...levels.map((series) => ({ ...series, dashed: true }))])}</div>
${figures.map((figure, i) => html`<div class="choice-panels panel-${i + 1}">${figure}</div>`)}
</figure>
<p class="muted small">Lines join means over seeds. Robust means right both without attack and under every attack that was run.</p>`,
  };
}

const CHECKED = html` checked`;

const labelOf = (series: Series, kind: 'clean' | 'robust', size: keyof typeof SIZES): Omit<EndLabel, 'y'> => ({
  text: kind === 'robust' ? series.name : size === 'wide' ? `${series.name}, clean` : 'clean',
  color: series.color,
  strong: kind === 'robust',
});

const inWords = ({ series }: ReportGroup, cells: readonly SummaryCell[], cost: Cost): string =>
  `Robust and clean accuracy against ${cost.name}. ${cells
    .map((cell) => {
      const value = mean(cell.rows.map((row) => cost.value(row) ?? Number.NaN));
      return `${nameOf(series, cell)}, ${cost.show(value)}: ${formatSpread(cell.robust)} robust, ${formatSpread(cell.clean)} clean`;
    })
    .join('; ')}.`;
