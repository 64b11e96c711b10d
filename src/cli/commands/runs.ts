// The command that lists runs, filters them by their settings, and compares two of them.
import { didYouMean } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import { plural } from '../../core/quantities.ts';
import {
  compareRuns,
  type Difference,
  differingSettings,
  type ListedRun,
  listRuns,
  settingText,
} from '../../reporting/runs/run-list.ts';
import { describeOutdated } from '../../reporting/runs/runs.ts';
import { formatTable } from '../../reporting/tables/table.ts';
import { SETTINGS, type Setting } from '../../training/config/config.ts';
import { defineCommand } from '../command.ts';
import { flagOf } from '../flags/setting-flags.ts';
import { wrap } from '../help/columns.ts';
import { fits } from '../terminal/fits.ts';
import { percent } from '../terminal/format.ts';
import type { Terminal } from '../terminal/terminal.ts';

const NAMES = (Object.keys(SETTINGS) as Setting[]).filter((name) => name !== 'version');

export const runs = defineCommand({
  positionals: [
    {
      name: 'folder',
      description: 'a folder that holds runs or sweeps; default: runs',
      required: false,
      value: 'PATH',
    },
    { name: 'other', description: 'with --diff: the run to compare with', required: false, value: 'PATH' },
  ],
  flags: {
    where: {
      kind: 'texts',
      suggestions: NAMES.map((name) => `${flagOf(name).slice(2)}=`),
      description: 'list only runs with these settings, such as sparsity=0.9,optimizer=agent',
    },
    sort: {
      kind: 'text',
      choices: ['name', 'clean', 'robust'],
      description: 'order of the runs (name, clean, robust); default: name',
    },
    diff: { kind: 'switch', description: 'show the settings and the results in which two runs differ' },
  },
  endsAtOnce: true,
  examples: [
    ['equipoise runs', 'all runs below the folder runs, with what they differ in and what they reached'],
    ['equipoise runs runs/sweep --where optimizer=agent --sort robust', 'some of them, the most robust first'],
    ['equipoise runs --diff runs/A runs/B', 'what differs between two runs'],
  ],
  async run({ positionals: [folder = 'runs', other], flags: { where = [], sort = 'name', diff }, json }, terminal) {
    if (diff) {
      if (other === undefined) throw new UsageError('--diff expects the folders of two runs, got one or none.');
      const pair = [await oneRun(folder), await oneRun(other)] as const;
      const comparison = compareRuns(...pair);
      terminal.print(json ? JSON.stringify(comparison, null, 2) : comparisonText(pair, comparison, terminal));
      return;
    }
    if (other !== undefined) throw new UsageError(`runs expects one folder, got ${other} too. To compare, add --diff.`);
    if (!['name', 'clean', 'robust'].includes(sort)) {
      throw new UsageError(`--sort expects one of name, clean, robust, got ${sort}.`);
    }
    const wanted = where.map(readCondition);
    const { runs: all, unread } = await listRuns(folder);
    for (const { run, reason } of unread) terminal.warn(`${run} cannot be read: ${reason}`);
    for (const { name, outdated } of all) {
      for (const checkpoint of outdated) terminal.warn(`${name}: ${describeOutdated(checkpoint)}.`);
    }
    const shown = sorted(
      all.filter(({ config }) => wanted.every((condition) => condition(config))),
      sort,
    );
    if (json) terminal.print(JSON.stringify(shown.map(recordOf), null, 2));
    else terminal.print(listText(shown, { total: all.length, folder }, terminal));
  },
});

async function oneRun(folder: string): Promise<ListedRun> {
  const { runs: found, unread } = await listRuns(folder);
  if (unread.length > 0) throw new UsageError(unread[0].reason);
  if (found.length === 1) return found[0];
  throw new UsageError(`--diff expects the folder of one run, got ${folder}, which holds ${found.length}.`);
}

const kebab = (name: string): string => flagOf(name).slice(2);

/** A condition such as `sparsity=0.9`, on settings by their names or flags. */
function readCondition(text: string): (config: ListedRun['config']) => boolean {
  const at = text.indexOf('=');
  const word = at === -1 ? text : text.slice(0, at);
  const name = NAMES.find((known) => known === word || kebab(known) === word);
  if (at === -1 || name === undefined) {
    const near = at === -1 ? undefined : didYouMean(word, NAMES.map(kebab));
    throw new UsageError(
      `--where expects a setting and its value, such as sparsity=0.9, got ${text}.${near ? ` Did you mean ${near}?` : ''}`,
    );
  }
  const value = text.slice(at + 1);
  return (config) => settingText(config, name) === value || String(config[name] ?? '') === value;
}

function sorted(list: readonly ListedRun[], by: string): readonly ListedRun[] {
  if (by === 'name') return list;
  const value = (run: ListedRun) => run.quoted[by as 'clean' | 'robust'] ?? Number.NEGATIVE_INFINITY;
  return list.toSorted((a, b) => value(b) - value(a));
}

const recordOf = ({ name, folder, config, isComplete, state, epoch, results }: ListedRun) => ({
  name,
  folder,
  isComplete,
  state,
  epoch,
  config,
  results,
});

const accuracy = (value: number | null): string => (value === null ? '' : percent(value));

/** The list with a column for each setting in which the runs differ, as many as fit. */
function listText(
  shown: readonly ListedRun[],
  { total, folder }: { readonly total: number; readonly folder: string },
  { columns, style }: Pick<Terminal, 'columns' | 'style'>,
): string {
  if (shown.length === 0)
    return total === 0 ? `There is no run below ${folder}.` : `None of ${plural(total, 'run')} matches.`;
  // A setting that merely does not apply to some runs tells nothing in a column.
  const differing = differingSettings(shown).filter((name) => {
    const values = shown.flatMap(({ config }) => (config[name] === undefined ? [] : [settingText(config, name)]));
    return name !== 'backend' && new Set(values).size > 1;
  });
  const table = (settings: readonly Setting[], rows: readonly ListedRun[]) =>
    formatTable(
      ['run', ...settings, 'state', 'clean', 'robust'],
      rows.map((run) => {
        const { clean, robust } = run.quoted;
        const values = settings.map((name) => settingText(run.config, name));
        return [run.name, ...values, run.state, accuracy(clean), accuracy(robust)];
      }),
      settings.length + 2,
    );
  let count = differing.length;
  while (count > 0 && !fits(table(differing.slice(0, count), shown), columns)) count--;
  const text = table(differing.slice(0, count), shown);
  const hidden = differing.slice(count);
  const more = hidden.length === 0 ? '' : `; they differ in ${hidden.join(', ')} too`;
  return [
    fits(text, columns) ? text : cards(shown, style),
    '',
    ...wrap(`${shown.length} of ${plural(total, 'run')}${more}${robustText(shown)}`, columns),
  ].join('\n');
}

/** Which attacks the column of robust accuracy is about. */
function robustText(shown: readonly ListedRun[]): string {
  const [first, ...others] = new Set(shown.flatMap((run) => run.quoted.under ?? []));
  if (first === undefined) return '';
  return `; robust is under ${others.length === 0 ? first : 'the union of attacks at the radius of training, else at the first'}`;
}

/** Runs below each other, for screens that are too narrow for a table. */
const cards = (shown: readonly ListedRun[], style: Terminal['style']): string =>
  shown
    .map((run) => {
      const { clean, robust } = run.quoted;
      const figures = [
        clean === null ? '' : `${percent(clean)} clean`,
        robust === null ? '' : `${percent(robust)} robust`,
      ];
      return `${style('name', run.name)}\n  ${[run.state, ...figures].filter(Boolean).join(', ')}`;
    })
    .join('\n');

function comparisonText(
  [a, b]: readonly [ListedRun, ListedRun],
  { settings, results }: ReturnType<typeof compareRuns>,
  { columns, style }: Pick<Terminal, 'columns' | 'style'>,
): string {
  const part = (heading: string, rows: readonly Difference[]) => {
    const text = formatTable(
      [heading, 'A', 'B'],
      rows.map((row) => row.map((cell) => cell || '–')),
      3,
    );
    const isNarrow = !fits(text, columns);
    const stacked = rows.map(([name, x, y]) => `${name}\n  A ${x || '–'}\n  B ${y || '–'}`);
    return isNarrow ? [style('heading', heading), ...stacked].join('\n') : text;
  };
  return [
    `A ${style('name', a.folder)}\nB ${style('name', b.folder)}`,
    settings.length === 0 ? 'All settings are equal.' : part('setting', settings),
    results.length === 0 ? 'All results are equal.' : part('result', results),
  ].join('\n\n');
}
