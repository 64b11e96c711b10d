// The words of a command line as flags and positionals. What the values of flags mean is said in flags.ts.
import { parseArgs } from 'node:util';
import { UsageError } from '../core/errors.ts';
import type { Flag, Flags } from './flags/flags.ts';

/** What a command line gives. */
export interface Arguments {
  /** Values by flag: a text, true or false for a switch, and a list for a flag that was given several times. */
  readonly given: ReadonlyMap<string, unknown>;
  readonly positionals: readonly string[];
}

/** A word such as `--out` or `-h`, but not a negative number. */
const isFlag = (word: string): boolean => /^--?[a-z]/i.test(word);

const takesValue = (flag: Flag | undefined): boolean => flag !== undefined && flag.kind !== 'switch';

const flagOf = (flags: Flags, name: string): Flag | undefined => (Object.hasOwn(flags, name) ? flags[name] : undefined);

/**
 * Splits the words after the name of a command. Flags that the command does not have are among those given.
 *
 * @throws UsageError for a switch with a value other than true and false
 */
export function splitArguments(args: readonly string[], flags: Flags): Arguments {
  const options = Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => [
      name,
      { type: takesValue(flag) ? ('string' as const) : ('boolean' as const) },
    ]),
  );
  const { tokens } = parseArgs({ args: endMissingValues(args, flags), options, strict: false, tokens: true });
  const values = new Map<string, unknown[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const [name, value] = flagAndValue(token.name, token.value, flags);
    values.set(name, [...(values.get(name) ?? []), value]);
  }
  const given = new Map([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
  return { given, positionals };
}

/** Gives an empty value to flags that are followed by no value, so that the next flag is not taken for one. */
function endMissingValues(args: readonly string[], flags: Flags): string[] {
  const end = args.indexOf('--');
  const words = end === -1 ? args : args.slice(0, end);
  const ended = words.map((word, i) => {
    const takes = word.startsWith('--') && takesValue(flagOf(flags, word.slice(2)));
    const next = words[i + 1];
    return takes && (next === undefined || isFlag(next)) ? `${word}=` : word;
  });
  return [...ended, ...args.slice(words.length)];
}

function flagAndValue(name: string, value: string | undefined, flags: Flags): readonly [string, unknown] {
  if (takesValue(flagOf(flags, name))) return [name, value ?? ''];
  const positive = name.replace(/^no-/, '');
  const isNegated = flagOf(flags, name) === undefined && flagOf(flags, positive)?.kind === 'switch';
  if (flagOf(flags, isNegated ? positive : name) === undefined) return [name, value ?? true];
  if (value !== undefined && value !== 'true' && value !== 'false') {
    throw new UsageError(`--${name} is a switch and takes no value, got ${value}. Leave the value out.`);
  }
  return isNegated ? [positive, value === 'false'] : [name, value !== 'false'];
}
