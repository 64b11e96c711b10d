// The flags of training settings, made from the table of settings, and the files that `--config` names.
import { z } from 'zod';
import type { NormName } from '../../../attacks/types.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { InputError, messageOf, UsageError } from '../../core/errors.ts';
import { LARGEST_YAML, yamlValue } from '../../core/parse-yaml.ts';
import { systemReason } from '../../core/system-errors.ts';
import { readText } from '../../files/regular-file.ts';
import { models } from '../../models/models.ts';
import type { Grid } from '../../sweeps/grid.ts';
import { FIXED_DEFAULTS, type NameOf, SETTINGS, type Setting, settingRows } from '../../training/config/config.ts';
import { type Flag, type FlagKind, type Flags, type FlagValues, readFlag, readValue } from './flags.ts';

/** The names of the norms. */
export const NORMS: readonly string[] = SETTINGS.norm.schema.options;

/** @throws UsageError if it is none */
export function readNorm(given: string, flag = 'norm'): NormName {
  const { success, data } = SETTINGS.norm.schema.safeParse(given);
  if (success) return data;
  const { options } = SETTINGS.norm.schema;
  throw new UsageError(
    `--${flag} must be one of ${options.join(', ')}, got ${given}.${suggestion(didYouMean(given, options))}`,
  );
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: JsonSchema;
}

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Files are given by their paths, and a configuration names them by their content. */
const FILES: readonly Setting[] = ['from', 'extraImages'];

/** The flag of a setting. */
export const flagOf = (name: string): string => `--${kebab(name)}`;

const NAMES = (Object.keys(SETTINGS) as Setting[]).filter((name) => name !== 'version' && !FILES.includes(name));
const SCHEMAS = Object.fromEntries(
  settingRows.map(([name, { schema }]) => [name, z.toJSONSchema(schema) as JsonSchema]),
) as Readonly<Record<Setting, JsonSchema>>;

const KINDS: Readonly<Record<string, FlagKind>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'switch',
  array: 'numbers',
  object: 'named numbers',
};

/** Kinds that a schema's type does not tell. */
const OWN_KINDS: { readonly [Name in Setting]?: FlagKind } = { stepsSchedule: 'steps schedule' };

const kindOf = (name: Setting): FlagKind => OWN_KINDS[name] ?? KINDS[SCHEMAS[name].type ?? 'string'];

/** Values that completion lists where the schema allows more. */
const SUGGESTIONS: { readonly [Name in Setting]?: readonly string[] } = { model: Object.keys(models) };

/** One flag for each setting of a training run: `batchSize` is `--batch-size`. */
export const SETTING_FLAGS: Flags = Object.fromEntries(
  NAMES.map((name): [string, Flag] => {
    const { type, enum: choices } = SCHEMAS[name];
    const { help, group } = SETTINGS[name];
    const usual = FIXED_DEFAULTS[name] === undefined ? '' : `; default: ${FIXED_DEFAULTS[name]}`;
    const several = `One run has one ${kebab(name)}; equipoise sweep trains a run for each of several values.`;
    const flag: Flag = {
      kind: kindOf(name),
      group,
      description: `${help}${choices ? ` (${choices.join(', ')})` : ''}${usual}`,
      integer: type === 'integer',
      choices,
      suggestions: SUGGESTIONS[name],
      several,
    };
    return [kebab(name), flag];
  }),
);

const LISTS: Readonly<Partial<Record<FlagKind, FlagKind>>> = { text: 'texts', number: 'numbers' };

const listOf = (kind: FlagKind): FlagKind => LISTS[kind] ?? kind;

/** The flags of settings for a sweep, where each takes a list; `--seed` is `--seeds`. */
export const SWEEP_SETTING_FLAGS: Flags = Object.fromEntries(
  Object.entries(SETTING_FLAGS).map(([name, flag]) => [
    name === 'seed' ? 'seeds' : name,
    { ...flag, kind: listOf(flag.kind), several: undefined },
  ]),
);

/** The settings among the values of flags, by the names they have in a configuration. */
export function settingsOf(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    NAMES.flatMap((name) => (values[kebab(name)] === undefined ? [] : [[name, values[kebab(name)]]])),
  );
}

/**
 * What messages call settings: those that a file has by its names and the file's, all others by their flags.
 *
 * @param file what the file says, and where it lies
 * @param given what flags say
 */
export const namesFor =
  (
    { path, says }: { readonly path?: string; readonly says: Readonly<Record<string, unknown>> },
    given: Readonly<Record<string, unknown>>,
    { seeds = false }: { readonly seeds?: boolean } = {},
  ): NameOf =>
  (setting) => {
    const several = seeds && setting === 'seed';
    if (setting in says && !(setting in given)) return `${several ? 'seeds' : setting} (${path})`;
    return several ? '--seeds' : flagOf(setting);
  };

/** True if one value of a setting is a list. */
const isList = (name: string): boolean => NAMES.includes(name as Setting) && SCHEMAS[name as Setting].type === 'array';

/** The settings of a sweep as what all runs share and what they differ in: lists of several values. */
export function gridOf(settings: Readonly<Record<string, unknown>>): Grid {
  const values = Object.entries(settings).map(([name, value]): [string, readonly unknown[]] => [
    name,
    Array.isArray(value) && !isList(name) ? value : [value],
  ]);
  return {
    settings: Object.fromEntries(
      values.filter(([, list]) => list.length === 1).map(([name, [value]]) => [name, value]),
    ),
    axes: Object.fromEntries(values.filter(([, list]) => list.length !== 1)),
  };
}

/** Flags that say how to read settings, and one that is a setting too. */
const NEVER_IN_FILES: readonly string[] = ['config', 'print-config', 'resume', 'backend', 'size-limit'];

/** What a file of settings says. */
export interface ConfigFile<F extends Flags> {
  /** Settings, and whatever else has a name that is no flag. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Values of the command's own flags. */
  readonly flags: FlagValues<F>;
}

interface ConfigFileOptions<F extends Flags> {
  /** The flags of the command that the file may give too. */
  readonly flags: F;
  /** True if settings may have lists of values, as in a sweep, where the seeds are called `seeds`. */
  readonly lists?: boolean;
}

/** A file's content as a configuration names it; anything else in its place is a path, as on the command line. */
const isContent = (name: string, value: unknown): boolean =>
  FILES.some((file) => kebab(file) === name && SETTINGS[file].schema.safeParse(value).success);

/**
 * The settings in a JSON or YAML file, where numbers may be written as arithmetic, and the flags that the file gives. Names
 * are written as in a configuration (`batchSize`) or as on the command line (`batch-size`).
 *
 * @throws UsageError if the file is missing, or is not a record
 */
export async function readConfigFile<F extends Flags>(
  path: string,
  { flags, lists = false }: ConfigFileOptions<F>,
): Promise<ConfigFile<F>> {
  let text: string;
  try {
    text = await readText(path, LARGEST_YAML);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const why = systemReason(error) ?? messageOf(error);
    throw new UsageError(`--config names a JSON or YAML file; ${path} cannot be read: ${why}. Check the path.`, {
      cause: error,
    });
  }
  let record: unknown;
  try {
    record = await yamlValue(text);
  } catch (error) {
    throw new UsageError(`--config names a JSON or YAML file; ${path} is neither: ${messageOf(error)}.`, {
      cause: error,
    });
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new UsageError(
      `--config names a file with a record of settings, such as "dataset: cifar10"; ${path} holds none.`,
    );
  }
  const settings: [string, unknown][] = [];
  const given: [string, unknown][] = [];
  const names = new Map<string, string>();
  for (const [name, value] of Object.entries(record)) {
    const word = lists && name === 'seeds' ? 'seed' : kebab(name);
    const other = names.get(word);
    if (other !== undefined) {
      throw new UsageError(`${path} gives ${other} and ${name}, which are the same setting. Leave one of them out.`);
    }
    names.set(word, name);
    if (Object.hasOwn(flags, word) && !NEVER_IN_FILES.includes(word) && !isContent(word, value)) {
      const flag = flags[word];
      // What the command line separates by commas may be a list here.
      const listed = flag.isList && Array.isArray(value) ? value.join() : value;
      given.push([word, readFlag(`${name} in ${path}`, flag, listed)]);
      continue;
    }
    const known = NAMES.find((setting) => kebab(setting) === word);
    const read = (setting: Setting): unknown =>
      lists
        ? readValue(`${name} in ${path}`, listOf(kindOf(setting)), value)
        : readFlag(`${name} in ${path}`, SETTING_FLAGS[kebab(setting)], value);
    settings.push([known ?? name, known ? read(known) : value]);
  }
  return { settings: Object.fromEntries(settings), flags: Object.fromEntries(given) as FlagValues<F> };
}

/**
 * What the file that `--config` names says beside a command's flags, which override it.
 *
 * @throws UsageError as `readConfigFile` does
 */
export async function withConfigFile<F extends Flags>(
  given: FlagValues<F> & { readonly config?: string },
  flags: F,
  options: Omit<ConfigFileOptions<F>, 'flags'> = {},
): Promise<ConfigFile<F>> {
  if (given.config === undefined) return { settings: {}, flags: given };
  const file = await readConfigFile(given.config, { ...options, flags });
  return { settings: file.settings, flags: { ...file.flags, ...given } };
}
