import { InputError } from '../../src/core/errors.ts';
import { meant } from './other-names.ts';

/** The names of all options, which TypeScript checks to be all. */
export type OptionNames<Options> = { readonly [Name in keyof Options]-?: true };

/**
 * Throws InputError for options that nobody reads: an attack that ignored a misspelt one would be weaker than its user
 * believes.
 *
 * @param of what takes the options, for the message
 */
export function checkOptions<Options extends object>(of: string, options: Options, names: OptionNames<Options>): void {
  if (typeof options !== 'object' || options === null) {
    throw new InputError(`${of} takes its options as a record, such as { epsilon: 8 / 255 }; ${options} came.`);
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(names, name));
  if (unknown === undefined) return;
  const known = Object.keys(names);
  throw new InputError(`${of} has no option ${unknown}.${meant(unknown, known)} Its options are ${known.join(', ')}.`);
}
