// What a page says first: what the figures are about, what must be known before they are compared with others, and what AGENT
// changed.

import { formatEpsilon } from '../../evaluation/epsilon.ts';
import type { Evaluation } from '../../evaluation/types.ts';
import { headlineCells, type ReportData, type ReportGroup } from '../report-data.ts';
import type { RunRecord } from '../runs.ts';
import type { PairedDifference } from '../statistics/paired-difference.ts';
import { comparisonsOf } from '../tables/comparisons.ts';
import type { MeanAndDeviation, SummaryCell } from '../tables/summary.ts';
import { formatDifference, formatSparsity, formatSpread, NO_PAIRS, percent } from '../tables/table.ts';
import { nameOf } from './accuracy-sections.ts';
import { overfittedRuns } from './alarms-section.ts';
import { type Content, type Html, html } from './html.ts';
import { type Column, table } from './page-parts.ts';

/** Such as `cifar10 (unofficial), linf, ε 8/255`. */
export const groupTitle = ({ datasetTitle, norm, epsilon }: ReportGroup): string =>
  `${datasetTitle}, ${norm}, ε ${formatEpsilon(epsilon)}`;

export const evaluationsOf = ({ runs }: Pick<ReportData, 'runs'>): Evaluation[] =>
  runs.flatMap(({ evaluations }) => evaluations);

/** The evaluations on the images of a group. */
export const evaluationsIn = ({ runs, sha256 }: ReportGroup): Evaluation[] =>
  evaluationsOf({ runs }).filter(({ dataset }) => dataset.sha256 === sha256);

export const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

/** What a page of several groups is about. */
export const overview = ({ runs, groups }: ReportData): Html =>
  html`<p class="lead">${plural(runs.length, 'run')} in ${groups.length} groups, which differ in data set, norm or radius of the attack: figures of one group do not compare with those of another.</p>`;

export function lead(group: ReportGroup): Html {
  const { protocol, threat, datasetTitle } = group;
  const shown = protocol === null ? group.runs : runsInHeadlines(group);
  const configs = shown.map(({ config }) => config);
  const networks = [...new Set(configs.map(({ model, width }) => (width === 1 ? model : `${model} ×${width}`)))];
  const seeds = new Set(configs.map(({ seed }) => seed)).size;
  return html`<p class="lead">${networks.join(', ')} on ${datasetTitle}: ${plural(configs.length, 'run')} over ${plural(seeds, 'seed')}${
    protocol === null || threat === null
      ? ', not evaluated.'
      : `, attacked in ${threat.norm} with ε ${formatEpsilon(threat.epsilon)} on ${(protocol.n ?? 0).toLocaleString('en')} ${protocol.split} images by ${listed(attackNames(group))}; checkpoint ${group.checkpoint}.`
  }</p>
${protocol === null ? null : html`<p class="muted">Every robust accuracy on this page is an upper bound: the share of images that survived the attacks that were run.</p>`}`;
}

/** The runs whose figures the charts and tiles of a group are made of. */
function runsInHeadlines(group: ReportGroup): RunRecord[] {
  const names = new Set(headlineCells(group).flatMap(({ rows }) => rows.map(({ run }) => run)));
  return group.runs.filter(({ name }) => names.has(name));
}

export const attackNames = ({ protocol }: ReportGroup): string[] => protocol?.attacks.split(' + ') ?? [];

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** What a reader must know of the whole page. */
export function generalNotes(data: ReportData): Html[] {
  const left = new Set(data.leftOut.map(({ run }) => run)).size;
  const versions = [...new Set(evaluationsOf(data).map((evaluation) => evaluation.version))];
  return notesOf([
    left > 0 &&
      html`${plural(left, 'run')} ${left === 1 ? 'is' : 'are'} left out of some charts, means and comparisons: see <a href="#left-out">Left out</a>.`,
    versions.length > 1 &&
      `The evaluations were made by different versions of Equipoise (${listed(versions)}), which may attack differently.`,
  ]);
}

const notesOf = (notes: readonly Content[]): Html[] =>
  notes.flatMap((note) => (note === false || note === null ? [] : [html`<p class="note">${note}</p>`]));

/** What a reader must know before comparing the figures of a group with others, and its tiles. */
export function introduction(group: ReportGroup, id: string): Html {
  const datasets = new Map(evaluationsIn(group).map(({ dataset }) => [dataset.sha256, dataset]));
  const raised = evaluationsIn(group).flatMap(({ alarms }) => alarms.filter(({ status }) => status === 'raised'));
  const overfitted = overfittedRuns(group);
  const other = new Set(
    group.runs.flatMap(({ last }) =>
      last?.datasetSha256 && last.datasetSha256 !== group.sha256 ? [last.datasetSha256] : [],
    ),
  );
  const notes = notesOf([
    ...[...datasets.values()].flatMap((dataset) => [
      !dataset.official &&
        `The files of ${dataset.name} are not the official ones (SHA-256 ${dataset.sha256.slice(0, 16)}…): these figures do not compare with published ${dataset.name}.`,
      dataset.name === 'mnist10k' &&
        'mnist10k is the 10,000 official MNIST test digits, split anew into 8,000 for training and 2,000 for testing: these figures do not compare with published MNIST.',
      dataset.name === 'synthetic' && 'The images are generated: these figures compare with nothing else.',
    ]),
    other.size > 0 &&
      `Some of these runs were trained on other files than they were evaluated on (SHA-256 ${listed([...other].map((sha256) => `${sha256.slice(0, 16)}…`))}).`,
    raised.length > 0 &&
      html`<span class="warn">${plural(raised.length, 'alarm')} raised</span>: some robust accuracies may be too high. See <a href="#alarms${id}">Alarms</a>.`,
    overfitted.length > 0 &&
      html`<span class="warn">Robust overfitting</span> in ${plural(overfitted.length, 'run')}: robust accuracy on held-out images fell before the end of training. See <a href="#alarms${id}">Alarms</a>.`,
  ]);
  return html`${notes}${tiles(group)}`;
}

/** What AGENT changed, before anything else; null if no run was corrected by it. */
export function firstScreen(data: ReportData): Html | null {
  const rows = data.groups.flatMap((group) =>
    comparisonsOf(group)
      .filter(({ cell }) => cell.setting.optimizer === 'agent')
      .map((comparison) => ({ group, ...comparison })),
  );
  if (rows.length === 0) return null;
  type Row = (typeof rows)[number];
  const columns: Column<Row>[] = [
    { title: 'net', left: true, cell: ({ group, cell }) => comparedName(data, group, cell) },
    { title: 'accuracy', left: true, cell: ({ measure }) => measure },
    { title: 'at equal epochs', wrap: true, cell: ({ atEqualEpochs }) => headline(atEqualEpochs) },
    { title: 'at equal gradient evaluations', wrap: true, cell: ({ atEqualGradients }) => headline(atEqualGradients) },
    { title: 'cost', cell: ({ cost }) => (Number.isNaN(cost) ? '' : `${cost.toFixed(2)}×`) },
  ];
  const caption =
    'AGENT minus SGD: accuracy on test images, mean difference over paired seeds with its 95 % t interval, each for itself; cost is gradient evaluations of AGENT over those of SGD in as many epochs.';
  return html`<div class="card">${table(caption, columns, rows)}</div>`;
}

/** A difference for the first screen, where one of too few pairs is not shown at all. */
const headline = (difference: PairedDifference | null): string =>
  difference === null || difference.estimate === null
    ? `not enough seeds (${plural(difference?.n ?? 0, 'pair')})`
    : formatDifference(difference);

/** A difference in words. */
export const said = (difference: PairedDifference | null): string =>
  difference === null ? NO_PAIRS : formatDifference(difference);

/** A setting as a line of comparisons names it. */
const comparedName = ({ groups }: ReportData, group: ReportGroup, cell: SummaryCell): string =>
  [tileName(group, cell), groups.length > 1 && groupTitle(group)].filter(Boolean).join(', ');

function tiles(data: ReportGroup): Html | null {
  const cells = headlineCells(data);
  const undefended = cells.find(({ setting }) => setting.objective === 'natural');
  const defended = cells.filter(({ setting }) => setting.objective !== 'natural');
  const least = Math.min(...defended.map(({ setting }) => setting.sparsity ?? 0));
  const most = Math.max(...defended.map(({ setting }) => setting.sparsity ?? 0));
  const bestAt = (sparsity: number) =>
    defended
      .filter(({ setting }) => setting.sparsity === sparsity)
      .reduce<SummaryCell | undefined>(
        (best, cell) => (best && best.robust.mean >= cell.robust.mean ? best : cell),
        undefined,
      );
  const shown = [undefended, bestAt(least), ...(most > least ? [bestAt(most)] : [])].filter(
    (cell) => cell !== undefined,
  );
  if (shown.length === 0) return null;
  return html`<dl class="tiles">${shown.map(
    (cell) => html`<div class="tile" style="--tile:${colorOf(data, cell)}"><dt>${tileName(data, cell)}</dt>
<dd class="figure">${percent(cell.robust.mean)} %</dd>
<dd class="muted small">robust${spread(cell.robust)}, ${formatSpread(cell.clean)} clean</dd></div>`,
  )}</dl>`;
}

const spread = ({ deviation }: MeanAndDeviation): string =>
  Number.isNaN(deviation) ? '' : ` ± ${percent(deviation)} over seeds`;

const colorOf = ({ series }: ReportGroup, { setting }: SummaryCell): string =>
  series.find(({ matches }) => matches(setting))?.color ?? 'var(--line)';

const tileName = ({ series }: ReportGroup, cell: SummaryCell): string => {
  const { sparsity } = cell.setting;
  const name = nameOf(series, cell);
  return `${sparsity === 0 ? 'dense' : `${formatSparsity(sparsity ?? 0)} sparse`}, ${name}`;
};
