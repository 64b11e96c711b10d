// The pages of help: of the program, of one command, and what the program says when nothing is asked of it.
import { COMMON_FLAGS, type Flag, type FlagGroup, type FlagKind, type Flags } from '../flags/flags.ts';
import type { Style } from '../terminal/style.ts';
import { type Entry, formatEntries, termWidth, wrap } from './columns.ts';
import type { CommandOutline } from './manifest.ts';

/** How a page is set. */
export interface Page {
  /** Width of the screen in characters. */
  readonly columns: number;
  readonly style: Style;
}

/** The headings of flags, in the order of help. */
const GROUPS: readonly FlagGroup[] = [
  'Common',
  'Model',
  'Network',
  'Sparsity',
  'AGENT',
  'Objective',
  'Attack',
  'Optimizer',
  'Data',
  'Run',
];

const ABOUT = 'Sparse adversarial training, attacks and robustness evaluation.';

const groupOf = ({ group = 'Common' }: Flag): FlagGroup => group;

/** Words that stand for values, by kind. */
const VALUES: { readonly [Kind in FlagKind]: (flag: Flag) => string } = {
  text: (flag) => `${wordOf(flag)}${flag.isList ? ',…' : ''}`,
  'optional text': (flag) => `[${wordOf(flag)}]`,
  texts: (flag) => `${wordOf(flag)},…`,
  number: numberOf,
  numbers: (flag) => `${numberOf(flag)},…`,
  'named numbers': () => 'NAME=NUMBER,…',
  'steps schedule': () => 'STEPS@SHARE,…',
  switch: () => '',
};

function wordOf({ value, choices, suggestions }: Flag): string {
  return value ?? (choices || suggestions ? 'NAME' : 'TEXT');
}

function numberOf({ whole, integer }: Flag): string {
  return whole || integer ? 'INTEGER' : 'NUMBER';
}

/** The placeholder of a flag's value in help, such as NUMBER; '' for a switch. */
export const valueWord = (flag: Flag): string => VALUES[flag.kind](flag);

function entryOf([name, flag]: readonly [string, Flag], style: Style): Entry {
  const value = valueWord(flag);
  const space = value === '' ? '' : ' ';
  return {
    term: `--${name}${space}${value}`,
    styled: `${style('name', `--${name}`)}${space}${style('aside', value)}`,
    meaning: flag.description,
  };
}

/** The flags of a command by heading, those that every command has last. */
export const groupsOf = (flags: Flags): readonly (readonly [FlagGroup, readonly (readonly [string, Flag])[]])[] =>
  GROUPS.map((group) => {
    const all = Object.entries({ ...flags, ...COMMON_FLAGS });
    return [group, all.filter(([, flag]) => groupOf(flag) === group)] as const;
  }).filter(([, entries]) => entries.length > 0);

const usageOf = ({ name, positionals }: CommandOutline): string =>
  [
    'equipoise',
    name,
    ...positionals.map(({ name, required }) => (required ? `<${name}>` : `[${name}]`)),
    '[flags]',
  ].join(' ');

const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const paragraph = (text: string, { columns }: Page): string => wrap(text, columns).join('\n');

/** A heading with the text below it; '' if there is no text. */
const section = (heading: string, body: string, { style }: Page): string =>
  body === '' ? '' : `${style('heading', heading)}\n${body}`;

const join = (parts: readonly string[]): string => parts.filter((part) => part !== '').join('\n\n');

/**
 * Help on a command. The short one has the common flags and names the other groups.
 *
 * @param page with `all`: every flag
 */
export function commandPage(command: CommandOutline, page: Page & { readonly all: boolean }): string {
  const { name, summary, positionals, flags, examples } = command;
  const { columns, style, all } = page;
  const groups = groupsOf(flags);
  const shown = all ? groups : groups.slice(0, 1);
  const entries = shown.map(([group, flagsOf]) => [group, flagsOf.map((entry) => entryOf(entry, style))] as const);
  const width = termWidth(entries.flatMap(([, list]) => list));
  const about = positionals.map(({ name: term, description }): Entry => ({ term, meaning: description }));
  const hidden = groups.slice(shown.length).map(([group, list]) => `${group} (${list.length})`);
  const more = `equipoise ${name} --help-all shows more flags: ${hidden.join(', ')}.`;
  return join([
    style('heading', usageOf(command)),
    join([paragraph(`${capitalised(summary)}.`, page), formatEntries(about, columns)]),
    ...entries.map(([group, list]) =>
      section(groups.length > 1 ? group : 'Flags', formatEntries(list, columns, width), page),
    ),
    section('Examples', examples.map(([line, what]) => exampleText(line, what, page)).join('\n'), page),
    hidden.length === 0 ? '' : paragraph(more, page),
  ]);
}

const exampleText = (line: string, what: string, { columns, style }: Page): string =>
  [`  ${style('name', line)}`, ...wrap(what, columns - 6).map((text) => `      ${text}`)].join('\n');

/** The first commands to try, each with what it does. */
const FIRST: readonly (readonly [string, string])[] = [
  [
    'equipoise train --sparsity 0.9 --epochs 2',
    'train a sparse, robust classifier of digits that come with the package',
  ],
  ['equipoise evaluate runs/NAME', 'measure how robust it is; train prints the name'],
  ['equipoise attack runs/NAME', 'see images that fool it'],
  ['equipoise doctor', 'see what this machine can compute with'],
];

/** Help on the program. */
export function overviewPage(commands: readonly CommandOutline[], page: Page): string {
  const { columns, style } = page;
  const entries = commands.map(
    ({ name, summary }): Entry => ({ term: name, styled: style('name', name), meaning: summary }),
  );
  const flags = Object.entries({
    help: { kind: 'switch', description: 'show help; after a command, help on it' },
    'help-all': { kind: 'switch', description: 'show all flags' },
    version: { kind: 'switch', description: 'show the version' },
    ...COMMON_FLAGS,
  } as const satisfies Flags).map((entry) => entryOf(entry, style));
  return join([
    style('heading', 'equipoise <command> [flags]'),
    paragraph(ABOUT, page),
    section('Commands', formatEntries(entries, columns), page),
    section('Flags', formatEntries(flags, columns), page),
    section('Try first', FIRST.map(([line, what]) => exampleText(line, what, page)).join('\n'), page),
    paragraph('equipoise <command> --help shows the flags of a command.', page),
  ]);
}

/** Help on the program and on every command, with all flags. */
export const everyPage = (commands: readonly CommandOutline[], page: Page): string =>
  [overviewPage(commands, page), ...commands.map((command) => commandPage(command, { ...page, all: true }))].join(
    `\n\n${'─'.repeat(Math.min(page.columns, 40))}\n\n`,
  );

/** What to try, for a command line without a command. */
export const welcomePage = (page: Page): string =>
  join([
    paragraph(ABOUT, page),
    section('Try first', FIRST.map(([line, what]) => exampleText(line, what, page)).join('\n'), page),
    paragraph('equipoise --help lists all commands.', page),
  ]);
