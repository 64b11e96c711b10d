// The flags of commands as data: what help and completion say of them, and how their values are read.

import { UsageError } from '../../core/errors.ts';
import { MAX_THREADS } from '../../engine/runtime/control.ts';
import { BACKEND_CHOICES } from '../../ops/backend-names.ts';
import { formatSteps, STEPS_SCHEDULE } from '../../training/adversary/steps-schedule.ts';
import type { SettingGroup } from '../../training/config/settings.ts';
import { parseNumber } from './expression.ts';

/** What a flag takes. Numbers may be arithmetic, lists are separated by commas, and `0..4` is 0,1,2,3,4. */
interface Values {
  readonly text: string;
  /** The text after the flag; empty if the flag has no value. */
  readonly 'optional text': string;
  readonly number: number;
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
  /** `a=0.5,b=0.9` */
  readonly 'named numbers': Readonly<Record<string, number>>;
  /** `0@0,1@1/3`: numbers of steps at shares of the training, in the form `0@0,1@0.3333333333333333`. */
  readonly 'steps schedule': string;
  readonly switch: boolean;
}

export type FlagKind = keyof Values;

/** A heading of help. The short help lists `Common` alone. */
export type FlagGroup = SettingGroup | 'Model';

export interface Flag {
  readonly kind: FlagKind;
  readonly description: string;
  /** Default: `Common`. */
  readonly group?: FlagGroup;
  /** Word that stands for a text in help; completion lists paths for the last three. Default: TEXT. */
  readonly value?: 'NAME' | 'URL' | 'FILE' | 'FOLDER' | 'PATH';
  /** All values that are allowed. */
  readonly choices?: readonly string[];
  /** Some of the values that are allowed, for completion. */
  readonly suggestions?: readonly string[];
  /** True for a text of several names, separated by commas. */
  readonly isList?: boolean;
  /** True if help calls the number an integer. */
  readonly integer?: boolean;
  /** The least and the greatest value of a number that must be whole. */
  readonly whole?: readonly [least: number, greatest: number];
  /** What to do where someone gives several values. */
  readonly several?: string;
}

/** Flags by name, without the two dashes. */
export type Flags = Readonly<Record<string, Flag>>;

/** What was given, by flag. */
export type FlagValues<F extends Flags> = { readonly [N in keyof F]?: Values[F[N]['kind']] };

/** Flags that every command has. */
export const COMMON_FLAGS = {
  json: { kind: 'switch', description: 'print the result as JSON' },
  quiet: { kind: 'switch', description: 'print results, warnings and errors only' },
} as const satisfies Flags;

/** Flag of every command that reads data sets or models. */
export const SIZE_FLAG = {
  'size-limit': {
    kind: 'number',
    group: 'Data',
    description: 'most GB of a data set, of a model, or of all images of a folder; default: 2',
  },
} as const satisfies Flags;

/** Flags of every command that reads data sets. */
export const DATA_FLAGS = {
  ...SIZE_FLAG,
  data: { kind: 'text', value: 'FOLDER', description: 'folder of the data sets, or of your own images' },
} as const satisfies Flags;

/** Flags of every command that computes. */
export const BACKEND_FLAGS = {
  ...DATA_FLAGS,
  backend: {
    kind: 'text',
    value: 'NAME',
    group: 'Run',
    description: `software that computes (${BACKEND_CHOICES.join(', ')})`,
    suggestions: BACKEND_CHOICES,
  },
  threads: {
    kind: 'number',
    group: 'Run',
    description: `threads of the engine, 1 to ${MAX_THREADS}; default: one for each core`,
    whole: [1, MAX_THREADS],
  },
  kernels: {
    kind: 'text',
    description:
      "build of the engine's kernels: relaxed (default if Node supports it), or simd, with the same results on every processor",
  },
  revectorize: {
    kind: 'switch',
    group: 'Run',
    description: "faster kernels of the engine, by an experimental flag of Node 24's V8; a trial decides if they work",
  },
} as const satisfies Flags;

/** Flags of every command that trains. */
export const CONFIG_FLAGS = {
  from: {
    kind: 'text',
    value: 'PATH',
    group: 'Run',
    description: 'checkpoint or run whose weights training starts from (methods one-shot, gradual, dense)',
  },
  'extra-images': {
    kind: 'text',
    value: 'FILE',
    group: 'Objective',
    description: 'rst: safetensors file of extra images and their pseudo-labels',
  },
  'cache-memory': {
    kind: 'number',
    group: 'AGENT',
    description:
      'MB of memory for the gradients that the pre-passes matched and memory keep; the rest goes into files; default: 1024',
  },
  config: { kind: 'text', value: 'FILE', description: 'JSON or YAML file of settings; flags override it' },
  'print-config': { kind: 'switch', description: 'print the resolved configuration as JSON and stop' },
} as const satisfies Flags;

/**
 * The values of the flags that were given.
 *
 * @param given by name, as the command line held them; other names are left out
 * @throws UsageError if a value is not what the flag takes, or is given twice
 */
export function readFlags<F extends Flags>(given: Readonly<Record<string, unknown>>, flags: F): FlagValues<F> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries<Flag>(flags)) {
    if (Object.hasOwn(given, name)) values[name] = readFlag(`--${name}`, flag, given[name]);
  }
  return values as FlagValues<F>;
}

/**
 * The value of one flag, given as text or, in a configuration file, as what it is.
 *
 * @throws UsageError if the value is not what the flag takes
 */
export function readFlag(name: string, { kind, whole, several }: Flag, given: unknown): unknown {
  if (several !== undefined && holdsSeveral(kind, given)) {
    throw new UsageError(`${name} takes one value, got ${given}. ${several}`);
  }
  checkBoolean(name, kind, given);
  if (given === '' && kind !== 'optional text') throw new UsageError(`${name} needs a value, got none.`);
  const value = readValue(name, kind, given);
  if (whole) checkWhole(name, value as number, whole);
  return value;
}

/** Refuses true and false where a flag takes a value, and anything else where it is a switch. */
function checkBoolean(name: string, kind: FlagKind, given: unknown): void {
  const isBoolean = [given].flat().some((part) => typeof part === 'boolean');
  if (isBoolean === (kind === 'switch')) return;
  throw new UsageError(`${name} expects ${isBoolean ? 'a value' : 'true or false'}, got ${[given].flat().join(', ')}.`);
}

/** True for a list where a flag takes a single number or word, or a range where it takes a number. */
const holdsSeveral = (kind: FlagKind, given: unknown): boolean =>
  (kind === 'number' || kind === 'text') &&
  (Array.isArray(given) ||
    (typeof given === 'string' && (given.includes(',') || (kind === 'number' && given.includes('..')))));

function checkWhole(name: string, value: number, [least, greatest]: readonly [number, number]): void {
  if (Number.isInteger(value) && value >= least && value <= greatest) return;
  throw new UsageError(`${name} takes a whole number from ${least} to ${greatest}, got ${value}.`);
}

/** The value of one flag or setting, given as text or, in a configuration file, as what it is. */
export function readValue(name: string, kind: FlagKind, given: unknown): unknown {
  if (typeof given === 'object' && given !== null && !takesObject(kind, given)) {
    const repeated = Array.isArray(given) && name.startsWith('--');
    throw new UsageError(
      repeated
        ? `${name} was given ${given.length} times. Give it once.`
        : `${name} takes one value, got ${Array.isArray(given) ? `a list of ${given.length}` : 'a record'}.`,
    );
  }
  switch (kind) {
    case 'switch':
      return given;
    case 'optional text':
      return given;
    case 'text':
      return typeof given === 'string' ? notEmpty(name, given) : given;
    case 'number':
      return typeof given === 'string' ? parseNumber(given, name) : given;
    case 'texts':
      return typeof given === 'string' ? given.split(',').map((part) => notEmpty(name, part.trim())) : given;
    case 'numbers':
      return [given].flat().flatMap((part: unknown) => (typeof part === 'string' ? readNumbers(name, part) : part));
    case 'named numbers':
      return readNamedNumbers(name, given);
    case 'steps schedule':
      return typeof given === 'string' ? readSteps(name, given) : given;
  }
}

const takesObject = (kind: FlagKind, given: object) =>
  Array.isArray(given) ? kind === 'texts' || kind === 'numbers' : kind === 'named numbers';

function readNamedNumbers(name: string, given: unknown): unknown {
  if (typeof given === 'object' && given !== null) {
    return Object.fromEntries(
      Object.entries(given).map(([key, value]) => [key, readValue(`${name} ${key}`, 'number', value)]),
    );
  }
  if (typeof given !== 'string') return given;
  const pairs = given.split(',').map((part): [string, number] => {
    const [, key, text] = /^\s*([^=\s]+)\s*=(.*)$/.exec(part) ?? [];
    if (key === undefined)
      throw new UsageError(`${name} takes names with numbers, such as a=0.5,b=0.9, got ${part.trim()}.`);
    return [key, parseNumber(text, `${name} ${key}`)];
  });
  const names = pairs.map(([key]) => key);
  const twice = names.find((key, i) => names.indexOf(key) < i);
  if (twice !== undefined) throw new UsageError(`${name} names ${twice} twice. Give it once.`);
  return Object.fromEntries(pairs);
}

function readSteps(name: string, text: string): string {
  const schedule = text.split(',').map((part) => {
    const [, steps, from] = /^([^@]+)@([^@]+)$/.exec(part) ?? [];
    if (from === undefined) throw new UsageError(`${name} takes ${STEPS_SCHEDULE}, got ${text}.`);
    return { steps: parseNumber(steps, name), from: parseNumber(from, name) };
  });
  return formatSteps(schedule);
}

function notEmpty(name: string, text: string): string {
  if (text === '') throw new UsageError(`${name} needs a value, got none.`);
  return text;
}

function readNumbers(name: string, text: string): readonly number[] {
  const numbers: number[] = [];
  for (const part of text.split(',')) {
    const range = /^\s*(\d+)\.\.(\d+)\s*$/.exec(part);
    const [, from, to] = /^\s*(\d+)-(\d+)\s*$/.exec(part) ?? [];
    if (Number(from) < Number(to)) {
      throw new UsageError(`${name}: ${part.trim()} is a difference. Write a range as ${from}..${to}.`);
    }
    if (range === null) {
      numbers.push(parseNumber(part, name));
      continue;
    }
    const [first, last] = [Number(range[1]), Number(range[2])];
    if (last < first || last - first >= 10_000) {
      throw new UsageError(
        `${name}: a range must ascend and have fewer than 10,000 numbers, such as 0..4, got ${part.trim()}.`,
      );
    }
    for (let value = first; value <= last; value++) numbers.push(value);
  }
  return numbers;
}
