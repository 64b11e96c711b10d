// A table of flags as options of yargs, which splits a command line into words. How a value is read is in flags.ts.
import type { Options } from 'yargs';
import { UsageError } from '../../core/errors.ts';
import type { Flag, Flags } from './flags.ts';

/** How yargs reads words: every flag has the one name that its table gives it, and no word becomes a number. */
export const PARSER_CONFIGURATION = {
  'camel-case-expansion': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
} as const;

const isSwitch = (flag: Flag | undefined): boolean => flag?.kind === 'switch';

/** The options of yargs for flags. */
export const yargsOptions = (flags: Flags): Readonly<Record<string, Options>> =>
  Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, optionOf(flag)]));

const optionOf = (flag: Flag): Options =>
  isSwitch(flag)
    ? { type: 'boolean' }
    : // A value that must follow may begin with a dash and a digit, as -1,1 does.
      { type: 'string', requiresArg: flag.kind !== 'optional text' };

/**
 * Checks the switches of a command line. yargs takes every value of a switch other than `true` for `false`.
 *
 * @throws UsageError for a switch with a value other than true and false
 */
export function checkSwitches(words: readonly string[], flags: Flags): void {
  for (const word of words) {
    const [, name = '', value] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    if (!Object.hasOwn(flags, name) || !isSwitch(flags[name]) || value === 'true' || value === 'false') continue;
    throw new UsageError(`--${name} is a switch and takes no value, got ${value}. Leave the value out.`);
  }
}
