import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { NormName } from '../../attacks/types.ts';
import { UsageError } from '../core/errors.ts';
import { SETTINGS, type Setting } from '../training/config.ts';
import { type FlagKind, type Flags, readValue } from './flags.ts';

/** @throws UsageError where it is none */
export function readNorm(given: string): NormName {
  const { success, data } = SETTINGS.norm.safeParse(given);
  if (!success) throw new UsageError(`--norm must be one of ${SETTINGS.norm.options.join(', ')}; ${given} came.`);
  return data;
}

interface JsonSchema {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly description?: string;
  readonly items?: JsonSchema;
}

const kebab = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const NAMES = (Object.keys(SETTINGS) as Setting[]).filter((name) => name !== 'version');
const SCHEMAS = z.toJSONSchema(z.object(SETTINGS)).properties as unknown as Readonly<Record<Setting, JsonSchema>>;

const KINDS: Readonly<Record<string, FlagKind>> = {
  string: 'text',
  number: 'number',
  integer: 'number',
  boolean: 'switch',
  array: 'numbers',
};

const kindOf = (name: Setting): FlagKind => KINDS[SCHEMAS[name].type ?? 'string'];

/** One flag for each setting of a training run: `batchSize` is `--batch-size`. */
export const SETTING_FLAGS: Flags = Object.fromEntries(
  NAMES.map((name) => {
    const { description, enum: choices } = SCHEMAS[name];
    return [
      kebab(name),
      { kind: kindOf(name), description: choices ? `${description} (${choices.join(', ')})` : `${description}` },
    ];
  }),
);

/** The settings among the values of flags, by the names they have in a configuration. */
export function settingsOf(values: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    NAMES.flatMap((name) => (values[kebab(name)] === undefined ? [] : [[name, values[kebab(name)]]])),
  );
}

/**
 * The settings in a JSON or YAML file, where numbers may be written as arithmetic.
 *
 * @throws UsageError where the file is missing, or is not a record
 */
export async function readConfigFile(path: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch {
    throw new UsageError(`--config names a JSON or YAML file; ${path} cannot be read. Check the path.`);
  }
  const { parse } = await import('yaml');
  let record: unknown;
  try {
    record = parse(text);
  } catch (thrown) {
    const where = thrown instanceof Error ? thrown.message.split('\n')[0].replace(/:$/, '') : 'it cannot be parsed';
    throw new UsageError(`--config names a JSON or YAML file; ${path} is neither: ${where}.`);
  }
  if (typeof record !== 'object' || record === null || Array.isArray(record)) {
    throw new UsageError(
      `--config names a file with a record of settings, such as "dataset: cifar10"; ${path} holds none.`,
    );
  }
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(record)) {
    const known = NAMES.find((setting) => setting === name);
    settings[name] = known ? readValue(`${name} in ${path}`, kindOf(known), value) : value;
  }
  return settings;
}
