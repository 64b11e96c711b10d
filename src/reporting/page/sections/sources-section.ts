// Where a page comes from: the files beside it, its runs, the machine, and the commands that make it again.

import { pathWord, shellCommand } from '../../../core/shell.ts';
import { version } from '../../../evaluation/version.ts';
import type { ReportData } from '../../report-data.ts';
import { type RunRecord, trainingState } from '../../runs/runs.ts';
import { type Html, html } from '../html.ts';
import { type Column, type Section, table } from '../page-parts.ts';
import { evaluationsOf } from './headline.ts';

/** Where a page lies, and what made it. */
export interface Origin {
  /** The command that made the page. */
  readonly command?: string;
  /** Names of files beside the page. */
  readonly files?: readonly string[];
  /** The address of a run's folder, relative to the page; null if it has none. */
  readonly address?: (run: RunRecord) => string | null;
}

export function sourcesSection(
  { runs }: ReportData,
  { command, files = [], address = () => null }: Origin,
): Section | null {
  if (runs.length === 0) return null;
  const dates = runs
    .flatMap(({ history }) => [history.started, history.ended])
    .filter((date) => date !== null)
    .sort();
  const machines = [...new Set(runs.flatMap(({ history }) => history.machines))];
  const first = runs[0];
  const facts: (readonly [string, Html | string])[] = [
    ...(dates.length > 0 ? [['Trained', period(dates[0], dates.at(-1) ?? dates[0])] as const] : []),
    ...(machines.length > 0 ? [['Machine', machines.join('; ')] as const] : []),
    ...(files.length > 0
      ? [
          [
            'Figures',
            html`${files.map((file, i) => html`${i === 0 ? '' : ', '}<a href="./${encodeURIComponent(file)}">${file}</a>`)}`,
          ] as const,
        ]
      : []),
  ];
  const columns: Column<RunRecord>[] = [
    {
      title: 'run',
      left: true,
      cell: (run) => {
        const link = address(run);
        return link === null ? run.name : html`<a href="${link}">${run.name}</a>`;
      },
    },
    { title: 'state', left: true, cell: trainingState },
    {
      title: 'files',
      wrap: true,
      cell: (run) => {
        const link = address(run);
        return link === null
          ? ''
          : html`${['config.json', 'metrics.csv', 'events.jsonl'].map((file, i) => html`${i === 0 ? '' : ' · '}<a href="${link}${file}">${file}</a>`)}`;
      },
    },
  ];
  return {
    id: 'sources',
    title: 'Sources',
    body: html`${facts.length === 0 ? null : html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`}
<h3>The commands that make it again</h3>
${
  command === undefined
    ? null
    : html`<p>The command that made this page:</p>
<pre class="copy" tabindex="0">${command}</pre>`
}
<p>${runs.length === 1 ? 'The run' : `Each run by itself, here ${first.name}`}, trained and evaluated again:</p>
<pre class="copy" tabindex="0">${trainCommand(first)}${evaluateCommand(first)}</pre>
${runs.length === 1 ? null : html`<details><summary>All runs</summary>${table(null, columns, runs)}</details>`}
${runs.length === 1 && address(first) !== null ? html`<p>Its files: ${columns[2].cell(first)}</p>` : null}`,
  };
}

/** What a command needs to find the images; a run does not record where those of one's own lie. */
const dataFlags = ({ dataset }: RunRecord['config']): readonly string[] =>
  dataset === 'folder' ? ['--data', 'FOLDER'] : [];

const trainCommand = ({ folder, config }: RunRecord): string => {
  const out = pathWord(folder);
  return shellCommand(
    'equipoise',
    'train',
    '--config',
    `${out}/config.json`,
    '--out',
    `${out}-again`,
    ...dataFlags(config),
  );
};

/** A run's first evaluation as a command, in the first norm unless it is one over several norms; '' if there is none. */
function evaluateCommand({ folder, config, evaluations }: RunRecord): string {
  const [evaluation] = evaluations;
  if (evaluation === undefined) return '';
  const { seed, clean, attacks, acrossNorms: [across] = [] } = evaluation;
  const norm = attacks[0]?.norm ?? config.norm;
  const shown = across === undefined ? attacks.filter((attack) => attack.norm === norm) : attacks;
  const names = [...new Set(shown.map(({ attack }) => attack))].filter((attack) => attack !== 'union');
  const radii = [...new Set(shown.map(({ epsilon }) => epsilon))];
  const threats =
    across === undefined
      ? [...(norm === config.norm ? [] : ['--norm', norm]), '--epsilon', radii.join(',')]
      : ['--norms', across.threats.map(({ norm: one, epsilon }) => `${one}=${epsilon}`).join(',')];
  const flags = [
    '--attacks',
    names.join(','),
    ...threats,
    ...(seed === 0 ? [] : ['--seed', String(seed)]),
    '--test-limit',
    String(clean.n),
    ...dataFlags(config),
  ];
  return `\n${shellCommand('equipoise', 'evaluate', `${pathWord(folder)}-again`, ...flags)}`;
}

/** Days in words, such as `27 to 28 November 2026`; times of day are those of Greenwich. */
function period(first: string, last: string): string {
  const day = (date: string) => new Date(date).toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
  return day(first) === day(last) ? day(first) : `${day(first)} to ${day(last)}`;
}

/** What the page and its figures were made with. */
export function footer(data: ReportData): Html {
  const makers = [
    ...new Set(evaluationsOf(data).map((evaluation) => `${evaluation.version}, backend ${evaluation.backend}`)),
  ];
  const evaluated = makers.length === 0 ? '' : ` Evaluations by Equipoise ${makers.join('; ')}.`;
  return html`<p>Made by Equipoise ${version()}.${evaluated}</p>`;
}
