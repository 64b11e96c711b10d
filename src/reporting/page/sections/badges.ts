// What must be known before figures are compared with others: a row of short names, each of which opens to a sentence.

import { plural } from '../../../core/quantities.ts';
import { headlineCells, type ReportData, type ReportGroup } from '../../report-data.ts';
import { LEAST_PAIRS } from '../../statistics/paired-difference.ts';
import { type Content, type Html, html } from '../html.ts';
import { listed } from '../names.ts';
import { overfittedRuns } from './alarms-section.ts';
import { evaluationsIn, evaluationsOf } from './headline.ts';

export interface Badge {
  readonly name: string;
  readonly text: Content;
  /** True if something may be wrong with the figures. */
  readonly warns?: boolean;
}

export const showBadges = (badges: readonly Badge[]): Html | null =>
  badges.length === 0
    ? null
    : html`<div class="badges">${badges.map(
        ({ name, text, warns }) =>
          html`<details class="badge${warns ? ' warns' : ''}"><summary>${name}</summary><p>${text}</p></details>`,
      )}</div>`;

/** What holds of the whole page. */
export function generalBadges(data: ReportData): Badge[] {
  const left = new Set(data.leftOut.map(({ run }) => run)).size;
  const versions = [...new Set(evaluationsOf(data).map((evaluation) => evaluation.version))];
  return [
    ...(left > 0
      ? [
          {
            name: `${plural(left, 'run')} left out`,
            text: html`${plural(left, 'run')} ${left === 1 ? 'is' : 'are'} left out of some charts, means and comparisons: see <a href="#left-out">Left out</a>.`,
          },
        ]
      : []),
    ...(versions.length > 1
      ? [
          {
            name: `${versions.length} versions`,
            text: `The evaluations were made by different versions of Equipoise (${listed(versions)}), which may attack differently.`,
            warns: true,
          },
        ]
      : []),
  ];
}

/** What holds of a group. */
export function groupBadges(group: ReportGroup, id: string): Badge[] {
  const datasets = [...new Map(evaluationsIn(group).map(({ dataset }) => [dataset.sha256, dataset])).values()];
  const raised = evaluationsIn(group).flatMap(({ alarms }) => alarms.filter(({ status }) => status === 'raised'));
  const overfitted = overfittedRuns(group);
  const other = new Set(
    group.runs.flatMap(({ last }) =>
      last?.datasetSha256 && last.datasetSha256 !== group.sha256 ? [last.datasetSha256] : [],
    ),
  );
  const counts = headlineCells(group).map(({ rows }) => rows.length);
  const [seeds, most] = [Math.min(...counts), Math.max(...counts)];
  const badges: (Badge | false)[] = [
    group.protocol !== null && {
      name: 'upper bound',
      text: 'Every robust accuracy on this page is an upper bound: the share of images that survived the attacks that were run.',
    },
    ...datasets.flatMap((dataset): (Badge | false)[] => [
      !dataset.official && {
        name: `unofficial ${dataset.name}`,
        text: `The files of ${dataset.name} are not the official ones (SHA-256 ${dataset.sha256.slice(0, 16)}…): these figures do not compare with published ${dataset.name}.`,
        warns: true,
      },
      dataset.name === 'mnist10k' && {
        name: 'not official MNIST',
        text: 'mnist10k is the 10,000 official MNIST test digits, split anew into 8,000 for training and 2,000 for testing: these figures do not compare with published MNIST.',
      },
      dataset.name === 'synthetic' && {
        name: 'generated images',
        text: 'The images are generated: these figures compare with nothing else.',
      },
    ]),
    Number.isFinite(seeds) && {
      name: seeds === most ? plural(seeds, 'seed') : `${seeds} to ${most} seeds`,
      text:
        seeds < LEAST_PAIRS
          ? `There are networks that were trained with ${plural(seeds, 'seed')} only. Other seeds give other figures, and below three pairs of seeds no difference between trainings has a mean or an interval here.`
          : `Each network was trained with at least ${plural(seeds, 'seed')}; differences are paired by seed.`,
    },
    other.size > 0 && {
      name: 'other training files',
      text: `Some of these runs were trained on other files than they were evaluated on (SHA-256 ${listed([...other].map((sha256) => `${sha256.slice(0, 16)}…`))}).`,
      warns: true,
    },
    raised.length > 0 && {
      name: `${plural(raised.length, 'alarm')} raised`,
      text: html`${plural(raised.length, 'alarm')} raised: some robust accuracies may be too high. See <a href="#alarms${id}">Alarms</a>.`,
      warns: true,
    },
    overfitted.length > 0 && {
      name: 'robust overfitting',
      text: html`Robust overfitting in ${plural(overfitted.length, 'run')}: robust accuracy on held-out images fell before the end of training. See <a href="#alarms${id}">Alarms</a>.`,
      warns: true,
    },
  ];
  return badges.filter((badge) => badge !== false);
}
