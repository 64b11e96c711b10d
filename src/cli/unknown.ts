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

/** @param names of all flags of the command */
export function unknownFlag(name: string, command: string, names: readonly string[]): UsageError {
  const near = didYouMean(name, names);
  return new UsageError(
    `equipoise ${command} has no flag --${name}. ${near ? `Did you mean --${near}?` : `See equipoise ${command} --help.`}`,
  );
}
