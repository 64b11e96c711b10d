// Robust accuracy against the radius of the attack: a line a sparsity for the union of all attacks, and light ones for the
// attacks one by one. Every curve starts at the accuracy without attack, which is known.

import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import { groupBy } from '../../groups/group-by.ts';
import { bySparsity, cellsAtAllRadii, type ReportGroup, singleCellsAtAllRadii } from '../../report-data.ts';
import type { MeanAndDeviation, SummaryCell } from '../../tables/summary.ts';
import { formatSparsity, formatSpread, percent } from '../../tables/table.ts';
import { epsilonChart, type Line, levelColor, type Tick } from '../charts.ts';
import { html } from '../html.ts';
import { nameOf, sparsityOf } from '../names.ts';
import { chart, details, type LegendEntry, legend, type Section, table } from '../page-parts.ts';

const ends = ({ mean: y, deviation }: MeanAndDeviation) => {
  const half = Number.isNaN(deviation) ? 0 : deviation;
  return { low: Math.max(0, y - half), high: Math.min(1, y + half) };
};

/** Lengths of strokes and gaps of the attacks, in order. */
const DASHES: readonly (readonly number[])[] = [
  [2, 3],
  [6, 3],
  [8, 3, 2, 3],
  [1, 2],
  [10, 4],
];

const radiusOf = ({ setting }: SummaryCell): number => setting.epsilon ?? 0;

/** Robust accuracy against ε; null if no network was attacked at two radii. */
export async function epsilonSection(group: ReportGroup): Promise<Section | null> {
  const keyOf = (cell: SummaryCell): string =>
    JSON.stringify([nameOf(group.series, cell), sparsityOf(cell), group.identities.get(cell.setting.run)?.repeated]);
  const networks = groupBy(
    cellsAtAllRadii(group).filter((cell) => radiusOf(cell) > 0),
    keyOf,
  )
    .filter((cells) => new Set(cells.map(radiusOf)).size > 1)
    .map((cells) => cells.toSorted((a, b) => radiusOf(a) - radiusOf(b)))
    .sort(([a], [b]) => bySparsity(a, b));
  if (networks.length === 0) return null;
  const singles = singleCellsAtAllRadii(group);
  const attacks = [...new Set(singles.map(({ setting }) => setting.attack))]
    .sort()
    .map((name, i) => ({ name, dash: DASHES[i % DASHES.length] }));
  const shown = attacks.length > 1 ? attacks : [];
  const radii = [...new Set(networks.flatMap((cells) => cells.map(radiusOf)))].sort((a, b) => a - b);
  const ticks: Tick[] = [0, ...radii].map((value) => ({ value, label: formatEpsilon(value) }));
  const sparsities = [...new Set(networks.map(([cell]) => sparsityOf(cell)))];
  const lines: Line[] = sparsities.map((sparsity, i) => ({ name: formatSparsity(sparsity), color: levelColor(i) }));
  const bySeries = groupBy(networks, ([cell]) => nameOf(group.series, cell));

  const curve = (cells: readonly SummaryCell[], attack: string) => {
    const series = formatSparsity(sparsityOf(cells[0]));
    const strong = attack === UNION_LINE;
    // The largest radius may have been attacked on fewer images; clean accuracy is that of the headline's images.
    const clean = cells.toSorted((a, b) => (b.setting.n ?? 0) - (a.setting.n ?? 0))[0].clean;
    const point = (x: number, value: MeanAndDeviation) => ({
      series,
      attack,
      strong,
      x,
      y: value.mean,
      ...ends(value),
      title: `${series} sparse, ε ${formatEpsilon(x)}${x === 0 ? '' : `, ${attack}`}: ${formatSpread(value)}`,
    });
    return [point(0, clean), ...cells.map((cell) => point(radiusOf(cell), cell.robust))];
  };
  const charts = bySeries.map((mine) => {
    const [[first]] = mine;
    const name = nameOf(group.series, first);
    const points = mine.flatMap((cells) => [
      ...curve(cells, UNION_LINE),
      ...shown.flatMap(({ name: attack }) => {
        const own = singles.filter((cell) => cell.setting.attack === attack && keyOf(cell) === keyOf(cells[0]));
        return own.length > 1
          ? curve(
              own.toSorted((a, b) => radiusOf(a) - radiusOf(b)),
              attack,
            )
          : [];
      }),
    ]);
    const words = mine.map(
      (cells) =>
        `${formatSparsity(sparsityOf(cells[0]))} sparse: ${percent(cells[0].clean.mean)} % clean, ${cells.map((cell) => `${percent(cell.robust.mean)} % at ${formatEpsilon(radiusOf(cell))}`).join(', ')}`,
    );
    return chart(
      name,
      `Robust accuracy of ${name} against the radius of the attack. ${words.join('; ')}.`,
      epsilonChart(points, lines, shown, ticks),
    );
  });
  const entries: LegendEntry[] = [
    ...(lines.length > 1 ? lines : []),
    ...(shown.length > 0 ? [{ name: 'all attacks together', color: 'var(--muted)' }] : []),
    ...shown.map(({ name, dash }) => ({ name, dash, color: 'var(--muted)' })),
  ];
  return {
    id: 'epsilon',
    title: 'Accuracy against ε',
    body: html`<p>${group.runs.length === 1 ? 'The network' : 'The same networks'} under attacks of different strength (${group.threat?.norm ?? ''}). At ε 0 stands the accuracy without attack. A curve that stays high however large ε becomes is a sign of masked gradients.</p>
${legend(entries)}
<div class="charts small-multiples">${await Promise.all(charts)}</div>
${details(
  'Figures',
  table(
    null,
    [
      { title: 'network', left: true, cell: (cell: SummaryCell) => nameOf(group.series, cell) },
      { title: 'sparsity', cell: (cell) => formatSparsity(sparsityOf(cell)) },
      { title: 'ε', cell: (cell) => formatEpsilon(radiusOf(cell)) },
      { title: 'seeds', cell: ({ rows }) => rows.length },
      { title: 'images', cell: ({ setting }) => setting.n },
      { title: 'clean', cell: ({ clean }) => formatSpread(clean) },
      { title: 'robust', cell: ({ robust }) => formatSpread(robust) },
    ],
    networks.flat(),
  ),
)}`,
  };
}

const UNION_LINE = 'all attacks together';
