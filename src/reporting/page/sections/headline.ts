// What a page says first: what the figures are about, the answer in a sentence, and what AGENT changed.

import { plural } from '../../../core/quantities.ts';
import { formatEpsilon } from '../../../evaluation/epsilon.ts';
import type { Evaluation } from '../../../evaluation/types.ts';
import type { ReportData, ReportGroup } from '../../report-data.ts';
import type { PairedDifference } from '../../statistics/paired-difference.ts';
import { type Comparison, comparisonsOf, NO_PAIRS } from '../../tables/comparisons.ts';
import type { SummaryCell } from '../../tables/summary.ts';
import { formatDifference, formatSparsity } from '../../tables/table.ts';
import { type Html, html } from '../html.ts';
import { nameOf, networkName } from '../names.ts';
import { type Column, type Section, table } from '../page-parts.ts';

/** The title of a group, such as `cifar10 (unofficial), linf, ε 8/255`. */
export const groupTitle = ({ datasetTitle, norm, epsilon }: ReportGroup): string =>
  `${datasetTitle}, ${norm}, ε ${formatEpsilon(epsilon)}`;

export const evaluationsOf = ({ runs }: Pick<ReportData, 'runs'>): Evaluation[] =>
  runs.flatMap(({ evaluations }) => evaluations);

/** The evaluations on the images of a group. */
export const evaluationsIn = ({ runs, sha256 }: ReportGroup): Evaluation[] =>
  evaluationsOf({ runs }).filter(({ dataset }) => dataset.sha256 === sha256);

/** What a page of several groups is about. */
export const overview = ({ runs, groups }: ReportData): string =>
  `${plural(runs.length, 'run')} in ${groups.length} groups, which differ in data set, norm or radius of the attack: figures of one group do not compare with those of another.`;

/** What AGENT changed, before anything else; null if no run was corrected by it. */
export function firstScreen(data: ReportData): Html | null {
  const rows = data.groups.flatMap((group) =>
    comparisonsOf(group)
      .filter(({ cell }) => cell.setting.optimizer === 'agent')
      .map((comparison) => ({ group, ...comparison })),
  );
  if (rows.length === 0) return null;
  const pairs = rows.flatMap(({ atEqualEpochs, atEqualGradients }) => [atEqualEpochs, atEqualGradients]);
  if (pairs.every((difference) => (difference?.estimate ?? null) === null)) {
    const most = (kind: 'atEqualEpochs' | 'atEqualGradients') =>
      plural(Math.max(...rows.map((row) => row[kind]?.n ?? 0)), 'pair');
    const remembers = rows.some(
      ({ cell, atEqualEpochs }) => atEqualEpochs === null && cell.setting.agent_prepass === 'memory',
    );
    const unpaired = remembers
      ? ' The pre-pass memory keeps batches fixed, so its pairs are runs of SGD with --fixed-batches.'
      : '';
    return html`<p class="agent"><b>AGENT − SGD</b> not enough seeds (${most('atEqualEpochs')}) at equal epochs, not enough seeds (${most('atEqualGradients')}) at equal gradient evaluations. A verdict takes three pairs: runs of one seed that differ in the correction alone.${unpaired}</p>`;
  }
  type Row = (typeof rows)[number];
  const columns: Column<Row>[] = [
    { title: 'AGENT − SGD', left: true, cell: ({ group, cell }) => comparedName(data, group, cell) },
    { title: 'accuracy', left: true, cell: ({ measure }) => measure },
    { title: 'at equal epochs', wrap: true, cell: ({ atEqualEpochs }) => headline(atEqualEpochs) },
    { title: 'at equal gradients', wrap: true, cell: ({ atEqualGradients }) => headline(atEqualGradients) },
    { title: 'cost', cell: ({ cost }) => (Number.isNaN(cost) ? '' : `${cost.toFixed(2)}×`) },
  ];
  return html`<div class="card">${table(null, columns, rows)}
<p class="muted small">Accuracy on test images: mean difference over paired seeds with its 95 % t interval, each for itself. Equal gradients: SGD is trained longer, until it took as many gradient evaluations. Cost is gradient evaluations of AGENT over those of SGD in as many epochs.</p></div>`;
}

/** A difference for the first screen, where one of too few pairs is not shown at all. */
const headline = (difference: PairedDifference | null): string =>
  difference === null || difference.estimate === null
    ? `not enough seeds (${plural(difference?.n ?? 0, 'pair')})`
    : formatDifference(difference);

/** A difference in words. */
const said = (difference: PairedDifference | null): string =>
  difference === null ? NO_PAIRS : formatDifference(difference);

/** A setting as a line of comparisons names it. */
const comparedName = ({ groups }: ReportData, group: ReportGroup, cell: SummaryCell): string =>
  [networkName(group, cell), groups.length > 1 && groupTitle(group)].filter(Boolean).join(', ');

/** What corrections changed, sparsity by sparsity; null if none was made. */
export function differencesSection(group: ReportGroup): Section | null {
  const comparisons = comparisonsOf(group);
  if (comparisons.length === 0) return null;
  const columns: Column<Comparison>[] = [
    { title: 'sparsity', left: true, cell: ({ cell }) => formatSparsity(cell.setting.sparsity ?? 0) },
    { title: 'difference', left: true, cell: ({ cell }) => `${nameOf(group.series, cell)} − SGD` },
    {
      title: 'robust accuracy',
      wrap: true,
      cell: ({ cell: { differences } }) => said(differences?.robust ?? null),
    },
    { title: 'clean accuracy', wrap: true, cell: ({ cell: { differences } }) => said(differences?.clean ?? null) },
  ];
  return {
    id: 'differences',
    title: 'Differences to SGD',
    body: html`<p class="small muted">Mean difference over paired seeds, after as many epochs, with its 95 % t interval, each for itself: of twenty without any difference one is called distinguishable by chance. Below three pairs the differences stand seed by seed. With few seeds intervals are wide: what cannot be told apart may still differ.</p>
<div class="card">${table(null, columns, comparisons)}</div>`,
  };
}
