// The sections of a page that follow runs over their epochs.

import { seesOtherExamples } from '../../../training/config/conditions.ts';
import type { TrainConfig } from '../../../training/config/config.ts';
import { type Measure, measureOf } from '../../../training/run/best-epoch.ts';
import type { MetricColumn, MetricRow } from '../../../training/run/metrics.ts';
import type { Series } from '../../charts/series.ts';
import { groupBy } from '../../groups/group-by.ts';
import { type ReportGroup, seriesSetting } from '../../report-data.ts';
import { isComplete, type RunRecord } from '../../runs/runs.ts';
import { mean } from '../../statistics/statistics.ts';
import { type EpochsToAccuracy, measureName } from '../../tables/epochs-to-accuracy.ts';
import { formatSparsity, percent } from '../../tables/table.ts';
import { type CurvePoint, curveChart, type Line, levelColor, rangeOf } from '../charts.ts';
import { type Html, html } from '../html.ts';
import { type Column, chart, legend, type Section, table } from '../page-parts.ts';

/**
 * A column of metrics.csv over the epochs, or over what they had cost: a curve for each seed, and the mean over the runs that
 * are complete.
 */
function curvesOf(
  runs: readonly RunRecord[],
  column: MetricColumn | ((run: RunRecord) => MetricColumn),
  series: string,
  { over = ({ epoch }) => epoch, show = (y) => y.toPrecision(3) }: CurvesOptions = {},
): CurvePoint[] {
  const single = runs.flatMap((run) =>
    run.metrics.flatMap((row, index) => {
      const [x, y] = [over(row), row[typeof column === 'function' ? column(run) : column]];
      return x === null || y === null || !Number.isFinite(y)
        ? []
        : [{ series, group: run.name, index, x, y, title: '' }];
    }),
  );
  const complete = new Set(runs.filter(isComplete).map(({ name }) => name));
  const averaged = complete.size === 0 ? single : single.filter(({ group }) => complete.has(group));
  const means = groupBy(averaged, ({ index }) => index).map((points) => {
    const y = mean(points.map((point) => point.y));
    return {
      series,
      group: 'mean',
      x: mean(points.map(({ x }) => x)),
      y,
      title: `${series}, epoch ${points[0].index + 1}: ${show(y)}`,
    };
  });
  return new Set(runs).size > 1 ? [...single, ...means] : means;
}

interface CurvesOptions {
  readonly over?: (row: MetricRow) => number | null;
  /** A value in words. */
  readonly show?: (y: number) => string;
}

const asPercent = (y: number): string => `${percent(y)} %`;

/** True if there is a curve to draw, and not single dots. */
const isCurve = (points: readonly CurvePoint[]): boolean => new Set(points.map(({ x }) => x)).size > 1;

interface Panel {
  readonly title: string;
  readonly runs: readonly RunRecord[];
}

/** How charts of one sparsity and way of sparsifying are called, the latter where there are several. */
function panelTitle({ runs }: ReportGroup, { sparsity, method }: Pick<TrainConfig, 'sparsity' | 'method'>): string {
  const methods = new Set(runs.map(({ config }) => config.method).filter((name) => name !== 'dense'));
  return `${formatSparsity(sparsity)} sparsity${methods.size > 1 && method !== 'dense' ? `, ${method}` : ''}`;
}

/** The lines of a legend, each once, where the sparse method is named beside it. */
const shortLines = (lines: readonly Series[]): Line[] => [
  ...new Map(lines.map(({ shortName, color }) => [shortName, { name: shortName, color }])).values(),
];

/** Curves of the defended runs by sparsity and way of sparsifying, then those of the undefended ones. */
const panelsOf = (data: ReportGroup): Panel[] => {
  const { runs, series } = data;
  const [defended, undefended] = [false, true].map((wanted) =>
    groupBy(
      runs
        .filter(({ config }) => (config.objective === 'natural') === wanted)
        .toSorted((a, b) => a.config.sparsity - b.config.sparsity),
      ({ config }) => panelTitle(data, config),
    ).map((group) => ({ title: panelTitle(data, group[0].config), runs: group })),
  );
  const name = series.find((line) => line.undefended)?.name ?? '';
  return [
    ...defended,
    ...undefended.map((panel) => ({ ...panel, title: undefended.length === 1 ? name : `${name}, ${panel.title}` })),
  ];
};

/** Where the axis of accuracies ends, the same for all panels: at the quarter above the highest. */
const accuracyTop = (runs: readonly RunRecord[]): number => {
  const highest = Math.max(
    0.25,
    ...runs.flatMap(({ metrics }) =>
      metrics.map((row) => Math.max(row.validation_clean_accuracy ?? 0, row.validation_robust_accuracy ?? 0)),
    ),
  );
  return Math.min(1, Math.ceil(4 * highest) / 4);
};

/** The column of metrics.csv that a run is judged by. */
const followed = ({ config }: RunRecord): Measure => measureOf(config);

/** A sentence for each run that the guard put back after its network collapsed; '' where none did. */
const collapses = (runs: readonly RunRecord[]): string =>
  runs
    .flatMap(({ name, metrics }) => {
      const after = metrics.filter((row) => (row.collapses ?? 0) > 0);
      if (after.length === 0) return [];
      const times = after.at(-1)?.collapses;
      // An epoch whose schedule attacks nothing says nothing of the attack.
      const attacked = after.findLast((row) => (row.attack_steps ?? 0) > 0);
      const attack = attacked ? `, in epoch ${attacked.epoch} PGD with ${attacked.attack_steps} steps` : '';
      return ` In ${name} the network collapsed (catastrophic overfitting), so training returned to an earlier epoch ${times === 1 ? 'once' : `${times} times`}; from epoch ${after[0].epoch} on its attack is stronger${attack}.`;
    })
    .join('');

/** What learning curves show, a row of charts each. */
const ROWS = [
  { title: 'Robust accuracy', column: 'validation_robust_accuracy', percent: true },
  { title: 'Clean accuracy', column: 'validation_clean_accuracy', percent: true },
  { title: 'Training loss', column: 'train_loss', percent: false },
] as const;

const grid = (charts: readonly Html[]): Html => html`<div class="charts small-multiples">${charts}</div>`;

/**
 * Accuracies and loss over the epochs, on axes that all charts of a row share; null if no run has two epochs. If all runs
 * are of one sparsity, a row would have one chart, so the three share a row.
 */
export async function learningSection(data: ReportGroup): Promise<Section | null> {
  const lines = shortLines(data.series);
  const epochs = rangeOf(data.runs.flatMap(({ metrics }) => metrics.map(({ epoch }) => epoch ?? Number.NaN)));
  const allPanels = panelsOf(data);
  const isOnePanel = allPanels.length === 1;
  const rows = await Promise.all(
    ROWS.map(async ({ title, column, percent: isShare }) => {
      const panels = allPanels
        .map((panel) => ({
          ...panel,
          points: data.series.flatMap((series) =>
            curvesOf(
              panel.runs.filter((run) => series.matches(seriesSetting(data, run))),
              column,
              series.shortName,
              isShare ? { show: asPercent } : {},
            ),
          ),
        }))
        .filter(({ points }) => isCurve(points));
      const y = isShare
        ? ([0, accuracyTop(data.runs)] as const)
        : rangeOf(panels.flatMap(({ points }) => points.map((point) => point.y)));
      const charts = await Promise.all(
        panels.map((panel) =>
          chart(
            isOnePanel ? title : panel.title,
            `${isShare ? `${title} on validation images` : title} over the epochs at ${panel.title}.`,
            curveChart(panel.points, lines, { percent: isShare, x: epochs, y }),
          ),
        ),
      );
      return { title, charts };
    }),
  );
  const drawn = rows.filter(({ charts }) => charts.length > 0);
  if (drawn.length === 0) return null;
  const unfinished = data.runs.some((run) => !isComplete(run));
  const several = data.runs.length > 1;
  return {
    id: 'learning',
    title: 'Learning curves',
    body: html`<p>Accuracy on held-out validation images, robust under PGD-10 at the ε that a run is configured with.${several ? ` Thin lines are single seeds, strong ones the mean${unfinished ? ' of those that are complete' : ''}.` : ''}${collapses(data.runs)}</p>
${several ? legend(lines) : null}
${
  isOnePanel
    ? grid(drawn.flatMap(({ charts }) => charts))
    : drawn.map(({ title, charts }) => html`<h3>${title}</h3>\n${grid(charts)}`)
}`,
  };
}

/** AGENT's coefficient and what the correction does to the variance; null if no run is corrected. */
export async function coefficientSection(data: ReportGroup): Promise<Section | null> {
  const has = (column: MetricColumn) => (run: RunRecord) => run.metrics.some((row) => row[column] !== null);
  const corrected = data.runs.filter((run) => has('c')(run) || has('variance_ratio')(run));
  if (corrected.length === 0) return null;
  const sparsities = [...new Set(corrected.map(({ config }) => config.sparsity))].sort((a, b) => a - b);
  const lines = sparsities.map((sparsity, i) => ({ name: formatSparsity(sparsity), color: levelColor(i) }));
  const series = data.series.filter((line) => corrected.some((run) => line.matches(seriesSetting(data, run))));
  const epochs = rangeOf(corrected.flatMap(({ metrics }) => metrics.map(({ epoch }) => epoch ?? Number.NaN)));
  const pointsOf = (line: Series, column: MetricColumn) =>
    sparsities.flatMap((sparsity) =>
      curvesOf(
        corrected.filter((run) => run.config.sparsity === sparsity && line.matches(seriesSetting(data, run))),
        column,
        formatSparsity(sparsity),
      ),
    );
  const row = async (title: string, column: MetricColumn, words: string, level?: number): Promise<Html | null> => {
    const panels = series
      .map((line) => ({ line, points: pointsOf(line, column) }))
      .filter(({ points }) => isCurve(points));
    const y = rangeOf([
      ...panels.flatMap(({ points }) => points.map((point) => point.y)),
      ...(level === undefined ? [] : [level]),
    ]);
    const charts = panels.map(({ line, points }) =>
      chart(
        line.name,
        `${words} of ${line.name} over the epochs, a line a sparsity.`,
        curveChart(points, lines, { percent: false, x: epochs, y, level }),
      ),
    );
    return charts.length === 0 ? null : html`<h3>${title}</h3>\n${grid(await Promise.all(charts))}`;
  };
  const rows = [
    await row('Coefficient c', 'c', 'The coefficient c'),
    await row(
      'Variance of the gradient, corrected over plain',
      'variance_ratio',
      'Gradient variance with correction over that without',
      1,
    ),
  ];
  if (rows.every((each) => each === null)) return null;
  const biased = corrected.some(({ config }) => seesOtherExamples(config));
  return {
    id: 'coefficient',
    title: 'The correction',
    folded: { gist: 'coefficient and variance over the epochs' },
    body: html`<p>How much of the snapshot's gradient is taken over (c), and what that does to the variance of the gradient: below 1 the correction reduces it.${biased ? ' The ratio is blind to bias: where a pre-pass saw other examples than the steps (published, published-bsr), it does not say whether the corrected gradient still points where that of training does.' : ''}</p>
${lines.length > 1 ? legend(lines) : null}
${rows}`,
  };
}

const gradientsOf = (row: MetricRow): number | null =>
  row.input_gradients === null || row.weight_gradients === null ? null : row.input_gradients + row.weight_gradients;

/** What it took to reach what plain SGD ends with; null if plain SGD is alone and there is nothing to compare. */
export async function epochsSection(data: ReportGroup): Promise<Section | null> {
  const runs = new Map(data.runs.map((run) => [run.name, run]));
  const seriesOf = ({ run }: EpochsToAccuracy): Series | undefined => {
    const record = runs.get(run.run);
    return record && data.series.find((line) => line.matches(seriesSetting(data, record)));
  };
  const compared = groupBy(data.epochs, ({ run }) =>
    JSON.stringify([run.sparsity, run.method, run.objective, run.model, run.width, run.setting]),
  )
    .filter((group) => group.some(({ run }) => run.optimizer !== 'sgd'))
    .sort((a, b) => a[0].run.sparsity - b[0].run.sparsity);
  if (compared.length === 0) return null;
  const plainTitle = ([{ run }]: (typeof compared)[number]): string =>
    panelTitle(data, { sparsity: run.sparsity, method: run.method as TrainConfig['method'] });
  // Panels with the same sparsity and method are named by the other settings that differ.
  const titleOf = (group: (typeof compared)[number]): string => {
    const title = plainTitle(group);
    const plain = group.find(({ run }) => run.optimizer === 'sgd') ?? group[0];
    const alike = compared.filter((other) => plainTitle(other) === title);
    const objectives = new Set(alike.map(([{ run }]) => run.objective));
    return [
      title,
      objectives.size > 1 && plain.run.objective,
      alike.length > 1 && data.identities.get(plain.run.run)?.variant,
    ]
      .filter(Boolean)
      .join(', ');
  };
  const measureIn = ([{ run }]: (typeof compared)[number]) => measureName(run.measure);
  const lines = shortLines(data.series);
  const panels = compared
    .map((group) => ({
      group,
      points: groupBy(group, (entry) => seriesOf(entry)?.shortName ?? '').flatMap((entries) =>
        curvesOf(
          entries.flatMap(({ run }) => runs.get(run.run) ?? []),
          followed,
          seriesOf(entries[0])?.shortName ?? '',
          { over: gradientsOf, show: asPercent },
        ),
      ),
    }))
    .filter(({ points }) => isCurve(points));
  const x = rangeOf(panels.flatMap(({ points }) => points.map((point) => point.x)));
  const y = rangeOf(panels.flatMap(({ group, points }) => [group[0].target, ...points.map((point) => point.y)]));
  const charts = await Promise.all(
    panels.map(({ group, points }) =>
      chart(
        titleOf(group),
        `${measureIn(group) === 'robust' ? 'Robust' : 'Clean'} validation accuracy at ${titleOf(group)} against the gradient evaluations of training; the target is ${percent(group[0].target)} %.`,
        curveChart(points, lines, { percent: true, x, y, level: group[0].target, over: 'gradient evaluations' }),
      ),
    ),
  );
  const groups = compared.flatMap((group) => groupBy(group, (entry) => seriesOf(entry)?.name ?? ''));
  type Group = (typeof groups)[number];
  const reached = (group: Group) => group.filter((comparison) => comparison.reached);
  const average = (group: Group, value: (comparison: EpochsToAccuracy) => number, digits: number) =>
    reached(group).length === 0 ? '–' : mean(reached(group).map(value)).toFixed(digits);
  const columns: Column<Group>[] = [
    { title: 'sparsity', left: true, cell: ([{ run }]) => formatSparsity(run.sparsity) },
    { title: 'method', left: true, cell: ([{ run }]) => run.method },
    { title: 'net', left: true, cell: ([entry]) => seriesOf(entry)?.shortName ?? entry.run.optimizer },
    { title: 'accuracy', left: true, cell: (group) => measureIn(group) },
    { title: 'target', cell: ([{ target }]) => `${percent(target)} %` },
    { title: 'reached', cell: (group) => `${reached(group).length} of ${group.length}` },
    { title: 'epochs', cell: (group) => average(group, ({ at }) => at.epoch, 1) },
    {
      title: 'gradients (thousands)',
      cell: (group) => average(group, ({ at }) => (at.inputGradients + at.weightGradients) / 1000, 0),
    },
    { title: 'seconds', cell: (group) => average(group, ({ at }) => at.seconds, 1) },
  ];
  const measures = [...new Set(compared.map(measureIn))];
  const explained =
    measures.length > 1
      ? 'validation accuracy (robust, or clean after training without attack)'
      : `${measures[0]} validation accuracy`;
  return {
    id: 'epochs',
    title: 'Epochs to accuracy',
    body: html`<p>Until the ${explained} was for two consecutive epochs at or above what plain SGD ends with in the same setting (the mean over its seeds, dashed). Averages are over the runs that got there; the others spent their whole budget. The charts show the same accuracy against what training had cost: gradients of images and of weights, attack and pre-pass included.</p>
${legend(lines.filter(({ name }) => groups.some(([entry]) => seriesOf(entry)?.shortName === name)))}
${grid(charts)}
<div class="card">${table(null, columns, groups)}</div>`,
  };
}
