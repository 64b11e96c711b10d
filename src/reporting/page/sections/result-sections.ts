// The sections of a page that list things: results, runs that are left out, and settings.

import { plural } from '../../../core/quantities.ts';
import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import { UNION } from '../../../evaluation/types.ts';
import { SETTINGS, type Setting } from '../../../training/config/config.ts';
import { groupBy } from '../../groups/group-by.ts';
import { bySparsity, type ReportData, type ReportGroup } from '../../report-data.ts';
import type { LeftOut, RunRecord } from '../../runs/runs.ts';
import type { ResultRow } from '../../tables/results.ts';
import type { SummaryCell } from '../../tables/summary.ts';
import { formatAccuracy, formatSparsity, formatSpread, percent } from '../../tables/table.ts';
import { html } from '../html.ts';
import { nameOf } from '../names.ts';
import { type Column, details, type Section, table } from '../page-parts.ts';

/** Tables of the means, for every kept checkpoint, and of every single run. */
export function resultsSection(data: ReportGroup): Section | null {
  if (data.threat === null) return null;
  const { norm, epsilon } = data.threat;
  const settingKey = ({ setting }: SummaryCell) =>
    JSON.stringify([
      nameOf(data.series, { setting } as SummaryCell),
      data.identities.get(setting.run)?.repeated,
      setting.n,
      setting.attack_seed,
      setting.preprocessing,
    ]);
  const shown = data.cells.filter(({ setting }) => setting.group === data.name).sort(bySparsity);
  const tableOf = (checkpoint: string) => {
    const cells = shown.filter(({ setting }) => setting.checkpoint === checkpoint);
    if (cells.length === 0) return null;
    // A union is one column for each set of attacks that it is over.
    const columnOf = ({ attack, attacks }: ResultRow) => (attack === UNION ? `${UNION} of ${attacks}` : attacks);
    const isUnion = (name: string) => Number(name.startsWith(UNION));
    const attacks = [...new Set(cells.map(({ setting }) => columnOf(setting)))].sort((a, b) => isUnion(a) - isUnion(b));
    const groups = groupBy(cells, settingKey);
    type Group = (typeof groups)[number];
    const columns: Column<Group>[] = [
      { title: 'sparsity', left: true, cell: ([{ setting }]) => formatSparsity(setting.sparsity ?? 0) },
      { title: 'network', left: true, cell: ([cell]) => nameOf(data.series, cell) },
      { title: 'method', left: true, cell: ([{ setting }]) => setting.method },
      { title: 'images', cell: ([{ setting }]) => setting.n },
      { title: 'seeds', cell: ([{ rows }]) => rows.length },
      { title: 'clean', cell: ([{ clean }]) => formatSpread(clean) },
      ...attacks.map(
        (attack): Column<Group> => ({
          title: attacks.filter(isUnion).length === 1 && isUnion(attack) ? UNION : attack,
          cell: (group) => {
            const cell = group.find(({ setting }) => columnOf(setting) === attack);
            return cell ? formatSpread(cell.robust) : '';
          },
        }),
      ),
    ];
    return html`<div class="card"><h3>Checkpoint: ${checkpoint}</h3>${table(
      `${groups.some(([{ rows }]) => rows.length > 1) ? 'Mean ± standard deviation over seeds of complete runs' : 'Single runs'}, ε ${formatEpsilon(epsilon)} (${norm}).`,
      columns,
      groups,
    )}</div>`;
  };
  const single: Column<(typeof data.results)[number]>[] = [
    { title: 'run', left: true, cell: ({ run }) => run },
    { title: 'checkpoint', left: true, cell: ({ checkpoint }) => checkpoint },
    { title: 'epoch', cell: (row) => `${row.epoch ?? ''}${row.complete === 'true' ? '' : ', unfinished'}` },
    { title: 'attacks', left: true, cell: ({ attacks }) => attacks },
    { title: 'images', cell: ({ n }) => n },
    { title: 'clean', cell: (row) => withInterval(row.clean_accuracy, row.clean_low, row.clean_high) },
    { title: 'robust', cell: (row) => withInterval(row.robust_accuracy, row.robust_low, row.robust_high) },
    { title: 'sparsity', cell: (row) => `${percent(row.sparsity_actual ?? 0)} %` },
    { title: 'weights', cell: (row) => grouped(row.nonzeros) },
    { title: 'multiply-adds', cell: (row) => grouped(row.flops) },
    { title: 'file (KB)', cell: (row) => grouped(row.bytes === null ? null : row.bytes / 1000) },
    { title: 'training (s)', cell: (row) => row.train_seconds?.toFixed(1) ?? '' },
  ];
  const checkpoints = [...new Set(data.results.map(({ checkpoint }) => checkpoint))];
  return {
    id: 'results',
    title: 'Results',
    body: html`<p><b>best</b> is the epoch of highest robust validation accuracy (under natural training, of highest clean validation accuracy), <b>last</b> the end of training, <b>ema</b> the weights averaged over it; test images chose none of them.</p>
${checkpoints.map(tableOf)}
${details(
  'Every run, with 95 % Wilson intervals over the test images',
  table(
    'Intervals say how far a figure may be from that on all images of the kind. They are about one checkpoint and do not compare trainings.',
    single,
    data.results.filter((row) => row.attack === UNION && row.group === data.name),
  ),
)}`,
  };
}

const grouped = (value: number | null): string => (value === null ? '' : Math.round(value).toLocaleString('en'));

const withInterval = (value: number | null, low: number | null, high: number | null): string =>
  value === null ? '' : formatAccuracy({ value, low: low ?? Number.NaN, high: high ?? Number.NaN, correct: 0, n: 0 });

/** Every setting of every run. */
export function configurationSection({ runs }: ReportData): Section | null {
  if (runs.length === 0) return null;
  const names = (Object.keys(SETTINGS) as Setting[]).filter((name) =>
    runs.some(({ config }) => config[name] !== undefined),
  );
  const text = ({ config }: RunRecord, name: Setting) => (config[name] === undefined ? '' : show(name, config[name]));
  const shared = names.filter((name) => runs.every((run) => text(run, name) === text(runs[0], name)));
  const differing = names.filter((name) => !shared.includes(name));
  return {
    id: 'configuration',
    title: 'Configuration',
    folded: {
      gist:
        differing.length === 0
          ? plural(shared.length, 'setting')
          : `${plural(differing.length, 'setting')} differ${differing.length === 1 ? 's' : ''}`,
    },
    body: html`<p>Every setting of every run. A run is made again from its <code>config.json</code> with <code>equipoise train --config</code>.</p>
${
  differing.length === 0
    ? null
    : html`<div class="card">${table(
        'Where the runs differ',
        [
          { title: 'run', left: true, cell: (run: RunRecord) => run.name },
          ...differing.map((name) => ({ title: name, cell: (run: RunRecord) => text(run, name) })),
        ],
        runs,
      )}</div>`
}
${details(
  runs.length === 1 ? 'All settings' : 'What all runs share',
  table(
    null,
    [
      { title: 'setting', left: true, cell: (name: Setting) => name },
      { title: 'value', left: true, cell: (name) => text(runs[0], name) },
      { title: 'meaning', wrap: true, cell: (name) => SETTINGS[name].help },
    ],
    shared,
  ),
)}`,
  };
}

/** Runs that charts, means and comparisons leave out, with the reason; null if there is none. */
export function leftOutSection({ leftOut }: ReportData): Section | null {
  if (leftOut.length === 0) return null;
  return {
    id: 'left-out',
    title: 'Left out',
    body: html`<p>These runs are in no mean and no comparison, or not in all of them. What was measured of them is in results.csv.</p>
<div class="card">${table(
      null,
      [
        { title: 'run', left: true, cell: ({ run }: LeftOut) => run },
        { title: 'reason', wrap: true, cell: ({ reason }) => reason },
      ],
      leftOut,
    )}</div>`,
  };
}

const show = (name: Setting, value: unknown): string =>
  (name === 'epsilon' || name === 'stepSize') && typeof value === 'number'
    ? formatEpsilon(value)
    : Array.isArray(value)
      ? value.join(', ')
      : typeof value === 'object' && value !== null
        ? Object.entries(value)
            .map(([key, entry]) => `${key} ${entry}`)
            .join(', ')
        : String(value);
