// Options as data: one record for each function says which options it takes, what each is when it is not given, and what it
// may be. Types, checks, messages and the tables of the docs follow from that record.
import { InputError } from '../../src/core/errors.ts';
import { describe } from './describe.ts';
import { meant } from './other-names.ts';

/** One option. `Given` is what callers write, `Value` what the function works with. */
export interface Option<Given, Value = Given, Required extends boolean = boolean> {
  /** True if it must be given. */
  readonly required: Required;
  /** The value of an option that is not given, or how it follows from the options that stand before it. */
  readonly fallback?: Given | ((options: never) => Given);
  /**
   * The value to work with.
   *
   * @param options all options as they were given, or their defaults
   * @throws InputError for a value out of range
   */
  read(given: Given, name: string, options: never): Value;
}

/** The options of a function by name. */
export type OptionTable = Readonly<Record<string, Option<unknown>>>;

type GivenOf<O> = O extends Option<infer Given, infer _Value, infer _Required> ? Given : never;
type ValueOf<O> = O extends Option<infer _Given, infer Value, infer _Required> ? Value : never;

/** The record that callers give, with the docstrings of the table. */
export type OptionsOf<Table> = {
  readonly [Name in keyof Table as Table[Name] extends { required: true } ? Name : never]: GivenOf<Table[Name]>;
} & {
  readonly [Name in keyof Table as Table[Name] extends { required: true } ? never : Name]?: GivenOf<Table[Name]>;
};

/** The record that a function works with: every option, checked. */
export type ValuesOf<Table> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/**
 * Every option of a function: as given, or its default.
 *
 * @param of the function's name, for messages
 * @throws InputError for an option that the table does not have, and for a value out of range
 */
export function readOptions<Table extends OptionTable>(
  of: string,
  given: OptionsOf<Table>,
  table: Table,
): ValuesOf<Table> {
  checkOptionNames(of, given, Object.keys(table));
  const options = resolveOptions(given as Readonly<Record<string, unknown>>, table);
  const values = Object.entries(table).map(([name, option]) => [
    name,
    option.read(options[name], name, options as never),
  ]);
  return Object.fromEntries(values) as ValuesOf<Table>;
}

/** Every option of a table as it was given, or its default; unchecked. */
export function resolveOptions(
  given: Readonly<Record<string, unknown>>,
  table: OptionTable,
): Readonly<Record<string, unknown>> {
  const options: Record<string, unknown> = {};
  for (const [name, { fallback }] of Object.entries(table)) {
    if (given[name] !== undefined) options[name] = given[name];
    else options[name] = typeof fallback === 'function' ? fallback(options as never) : fallback;
  }
  return options;
}

/** The names of the options of an interface; TypeScript checks that they are all. */
export const namesOf = <Options>(names: { readonly [Name in keyof Options]-?: true }): readonly string[] =>
  Object.keys(names);

/**
 * Throws InputError for options that nobody reads: an attack that ignored a misspelt one would be weaker than its user
 * believes.
 *
 * @param of the function's name, for the message
 */
export function checkOptionNames(of: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    throw new InputError(
      `${of}: expected its options as a record, such as { epsilon: 8 / 255 }, got ${describe(options)}.`,
    );
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new InputError(`${of} has no option ${unknown}.${meant(unknown, known)} Its options are ${known.join(', ')}.`);
}
