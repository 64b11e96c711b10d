// What a command is: its flags and positionals as data, and what it does.
import type { Flags, FlagValues } from './flags/flags.ts';
import type { Terminal } from './terminal/terminal.ts';

export interface Positional {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** What completion lists: paths, or the names of commands. */
  readonly value?: 'COMMAND' | 'FILE' | 'PATH';
  /** Words that completion lists before paths. */
  readonly suggestions?: readonly string[];
  /** All values that are allowed. */
  readonly choices?: readonly string[];
}

/** What a user gives to a command. */
export interface Invocation<F extends Flags> {
  readonly flags: FlagValues<F>;
  /** The words beside the flags, in order; required ones are present. */
  readonly positionals: readonly string[];
  /** The whole command without passwords, as it can be typed again. */
  readonly line: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** A command of the command line, as data. */
export interface Command<F extends Flags = Flags> {
  readonly positionals: readonly Positional[];
  readonly flags: F;
  /** True if a signal ends it wherever it is, since it has nothing to save. The others look at `terminal.signal`. */
  readonly endsAtOnce?: true;
  /** Pairs of a command and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  run(invocation: Invocation<F>, terminal: Terminal): Promise<void>;
}

/** Keeps the names of the flags in the type. */
export const defineCommand = <const F extends Flags>(command: Command<F>): Command<F> => command;
