// The section of a page on alarms: those of evaluations, and that for robust overfitting, which looks at training.

import { plural } from '../../../core/quantities.ts';
import type { Alarm } from '../../../evaluation/alarms/alarms.ts';
import { isAdversarial } from '../../../training/config/conditions.ts';
import {
  describeRobustOverfitting,
  hasEnoughEpochs,
  type RobustOverfitting,
  robustOverfitting,
} from '../../../training/run/robust-overfitting.ts';
import { groupBy } from '../../groups/group-by.ts';
import type { ReportGroup } from '../../report-data.ts';
import type { RunRecord } from '../../runs/runs.ts';
import { html } from '../html.ts';
import { type Column, type Section, table } from '../page-parts.ts';

interface SeenAlarm extends Pick<Alarm, 'status' | 'detail'> {
  readonly name: string;
  readonly where: string;
}

/** The runs that overfit robustly, with the alarm. */
export const overfittedRuns = ({
  runs,
}: Pick<ReportGroup, 'runs'>): { readonly run: RunRecord; readonly found: RobustOverfitting }[] =>
  runs.flatMap((run) => {
    const found = isAdversarial(run.config) ? robustOverfitting(run.metrics) : null;
    return found === null ? [] : [{ run, found }];
  });

/** The alarms of a run's training; none without adversarial examples or epochs. */
function trainingAlarms(run: RunRecord): SeenAlarm[] {
  if (!isAdversarial(run.config) || run.metrics.length === 0) return [];
  const alarm = (status: Alarm['status'], detail: string): SeenAlarm[] => [
    { name: 'robust overfitting', status, detail, where: run.name },
  ];
  const [overfitted] = overfittedRuns({ runs: [run] });
  if (overfitted !== undefined) return alarm('raised', describeRobustOverfitting(overfitted.found));
  return hasEnoughEpochs(run.metrics)
    ? alarm('ok', 'Robust accuracy on held-out images does not fall while that on training images rises.')
    : alarm('not checked', 'This needs six epochs with a robust accuracy on held-out and on training images.');
}

/** The alarms in a few words, such as `14 checks, 0 raised`. */
function gistOf(alarms: readonly SeenAlarm[]): string {
  const checked = alarms.filter(({ status }) => status !== 'not checked').length;
  return `${plural(checked, 'check')}, ${alarms.filter(({ status }) => status === 'raised').length} raised`;
}

/** Signs that figures of a group are not what they seem; null if nothing was checked. */
export function alarmsSection(group: ReportGroup): Section | null {
  const seen = group.runs.flatMap((run) => [
    ...run.evaluations
      .filter(({ dataset }) => dataset.sha256 === group.sha256)
      .flatMap(({ alarms, target }) =>
        alarms.map(({ name, status, detail }) => ({
          name,
          status,
          detail,
          where: `${run.name}, ${target.checkpoint}`,
        })),
      ),
    ...trainingAlarms(run),
  ]);
  if (seen.length === 0) return null;
  const groups = groupBy(seen, ({ name }) => name);
  type Group = (typeof groups)[number];
  const count = (group: Group, status: string) => group.filter((alarm) => alarm.status === status).length;
  const columns: Column<Group>[] = [
    { title: 'alarm', left: true, cell: ([{ name }]) => name },
    {
      title: 'status',
      left: true,
      cell: (group) =>
        count(group, 'raised') > 0
          ? html`<span class="bad">raised in ${count(group, 'raised')} of ${group.length}</span>`
          : count(group, 'ok') > 0
            ? html`<span class="good">ok</span>${count(group, 'not checked') > 0 ? ` in ${count(group, 'ok')} of ${group.length}` : ''}`
            : html`<span class="muted">not checked</span>`,
    },
    {
      title: 'what was seen',
      wrap: true,
      cell: (group) => {
        const shown =
          group.find(({ status }) => status === 'raised') ?? group.find(({ status }) => status === 'ok') ?? group[0];
        return shown.status === 'raised' ? `${shown.where}: ${shown.detail}` : shown.detail;
      },
    },
  ];
  return {
    id: 'alarms',
    title: 'Alarms',
    folded: { gist: gistOf(seen), open: seen.some(({ status }) => status === 'raised') },
    body: html`<p>Signs that a robust accuracy is higher than it should be, and that training went on for too long (robust overfitting). An alarm is not checked if what it takes was not run.</p>
<div class="card">${table(null, columns, groups)}</div>`,
  };
}
