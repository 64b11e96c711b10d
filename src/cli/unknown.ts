// Errors about names of commands and flags that do not exist, each with the nearest name that does.
import { didYouMean } from '../core/did-you-mean.ts';
import { UsageError } from '../core/errors.ts';

/** @param names of all commands */
export function unknownCommand(name: string, names: readonly string[]): UsageError {
  const near = didYouMean(name, names);
  return new UsageError(
    `There is no command ${name}. ${near ? `Did you mean ${near}?` : `Commands are ${names.join(', ')}.`}`,
  );
}

/**
 * @param line the program and the command
 * @param names of all flags of the command
 */
export function unknownFlag(name: string, line: string, names: readonly string[]): UsageError {
  const near = didYouMean(name, names);
  return new UsageError(`${line} has no flag --${name}. ${near ? `Did you mean --${near}?` : `See ${line} --help.`}`);
}
