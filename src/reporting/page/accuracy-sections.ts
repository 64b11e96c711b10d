import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { epsilonChart, type Line, levelColor, type Point, sparsityChart } from '../charts/charts.ts';
import type { Series } from '../charts/series.ts';
import { bySparsity, cellsAtAllRadii, headlineCells, type ReportGroup } from '../report-data.ts';
import type { MeanAndDeviation, SummaryCell } from '../tables/summary.ts';
import { formatSparsity, formatSpread } from '../tables/table.ts';
import { type Html, html } from './html.ts';
import { chart, details, legend, type Section, table } from './page-parts.ts';

const sparsityOf = ({ setting }: SummaryCell): number => setting.sparsity ?? 0;

const bar = ({ mean: y, deviation }: MeanAndDeviation): Pick<Point, 'y' | 'low' | 'high'> => {
  const half = Number.isNaN(deviation) ? 0 : deviation;
  return { y, low: Math.max(0, y - half), high: Math.min(1, y + half) };
};

/** Clean and robust accuracy against sparsity; nets trained without defence and without sparsity are levels. */
export async function sparsitySection(data: ReportGroup): Promise<Html> {
  const cells = headlineCells(data);
  const ticks = [...new Set(cells.map(sparsityOf))].map(formatSparsity);
  const isLevel = (series: Series) =>
    series.undefended && cells.filter(({ setting }) => series.matches(setting)).every((cell) => sparsityOf(cell) === 0);
  const drawn = data.series.filter((series) => cells.some(({ setting }) => series.matches(setting)));
  const lines = drawn.filter((series) => !isLevel(series));
  const levels = drawn.filter(isLevel);
  const draw = (kind: 'clean' | 'robust') =>
    sparsityChart(
      lines.flatMap((series) =>
        cells
          .filter(({ setting }) => series.matches(setting))
          .map((cell) => ({ series: series.name, x: formatSparsity(sparsityOf(cell)), ...bar(cell[kind]) })),
      ),
      lines,
      ticks,
      levels.flatMap((series) =>
        cells
          .filter(({ setting }) => series.matches(setting))
          .map((cell) => ({ label: series.name, color: series.color, y: cell[kind].mean })),
      ),
    );
  const words = (kind: 'clean' | 'robust') =>
    `${kind === 'clean' ? 'Clean' : 'Robust'} accuracy against sparsity. ${cells
      .map((cell) => `${nameOf(data.series, cell)} at ${formatSparsity(sparsityOf(cell))}: ${formatSpread(cell[kind])}`)
      .join('; ')}.`;
  return html`${legend([...lines, ...levels.map((series) => ({ ...series, dashed: true }))])}
<div class="charts">
${await chart(`Robust accuracy, ε ${formatEpsilon(data.threat?.epsilon ?? 0)}`, words('robust'), draw('robust'))}
${await chart('Clean accuracy', words('clean'), draw('clean'))}
</div>
<p class="muted small">Points are means over seeds, bars one standard deviation over seeds (none for a single seed). Robust means right both without attack and under every attack that was run.</p>`;
}

export const nameOf = (series: readonly Series[], { setting }: SummaryCell): string =>
  series.find(({ matches }) => matches(setting))?.name ?? setting.optimizer;

/** Robust accuracy against the attack's radius, of nets that were evaluated at several; null where none was. */
export async function epsilonSection(data: ReportGroup): Promise<Section | null> {
  const evaluated = cellsAtAllRadii(data);
  const cellsOf = (series: Series) => evaluated.filter(({ setting }) => series.matches(setting));
  const several = data.series.filter(
    (series) => new Set(cellsOf(series).map(({ setting }) => setting.epsilon)).size > 1,
  );
  const cells = evaluated.filter(({ setting }) => several.some((series) => series.matches(setting)));
  const epsilons = [...new Set(cells.map(({ setting }) => setting.epsilon ?? 0))].sort((a, b) => a - b);
  if (epsilons.length < 2) return null;
  const sparsities = [...new Set(cells.toSorted(bySparsity).map(sparsityOf))];
  const ticks = epsilons.map((value) => ({ value, label: formatEpsilon(value) }));
  const pointsOf = (series: Series, name: (cell: SummaryCell) => string) =>
    cells
      .filter(({ setting }) => series.matches(setting))
      .map((cell) => ({ series: name(cell), x: cell.setting.epsilon ?? 0, ...bar(cell.robust) }));
  const undefended = several.filter((series) => series.undefended);
  const levels: Line[] = sparsities.map((sparsity, i) => ({ name: formatSparsity(sparsity), color: levelColor(i) }));
  const charts = await Promise.all(
    several
      .filter((series) => !series.undefended)
      .map((series) => {
        const points = [
          ...pointsOf(series, (cell) => formatSparsity(sparsityOf(cell))),
          ...undefended.flatMap((other) => pointsOf(other, () => other.name)),
        ];
        return chart(
          series.name,
          `Robust accuracy of ${series.name} against the radius of the attack, a line a sparsity.`,
          epsilonChart(points, [...levels, ...undefended], ticks),
        );
      }),
  );
  return {
    id: 'epsilon',
    title: 'Robust accuracy against ε',
    body: html`<p>The same nets under attacks of different strength (${data.threat?.norm ?? ''}, union of the same attacks at every ε). Accuracy at ε 0 is clean accuracy; a curve that does not fall towards 0 would be a sign of masked gradients.</p>
${legend([...levels, ...undefended])}
<div class="charts">${charts}</div>
${details(
  'Figures',
  table(
    null,
    [
      { title: 'net', left: true, cell: (cell: SummaryCell) => nameOf(data.series, cell) },
      { title: 'sparsity', cell: (cell) => formatSparsity(sparsityOf(cell)) },
      { title: 'ε', cell: ({ setting }) => formatEpsilon(setting.epsilon ?? 0) },
      { title: 'seeds', cell: ({ rows }) => rows.length },
      { title: 'images', cell: ({ setting }) => setting.n },
      { title: 'robust', cell: ({ robust }) => formatSpread(robust) },
    ],
    cells,
  ),
)}`,
  };
}
