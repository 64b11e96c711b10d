// Runs a command line: finds the command, answers what asks for help, and gives the command its flags.
import { UsageError } from '../core/errors.ts';
import { shellCommand } from '../core/shell.ts';
import { splitArguments } from './arguments.ts';
import type { Command } from './command.ts';
import { COMMANDS } from './commands.ts';
import { COMMON_FLAGS, type Flags, type FlagValues, readFlags, type SIZE_FLAG } from './flags/flags.ts';
import type { Terminal } from './terminal/terminal.ts';
import { unknownCommand, unknownFlag } from './unknown.ts';

/**
 * Runs a command line.
 *
 * @param args without the program's own name
 * @throws UsageError for a wrong one; whatever the command throws
 */
export async function runCommandLine(args: readonly string[], version: string, terminal: Terminal): Promise<void> {
  const line = shellCommand('equipoise', ...args);
  const at = args.findIndex((argument) => !argument.startsWith('-'));
  const name = args[at];
  const names = COMMANDS.map((entry) => entry.name);
  const entry = COMMANDS.find((known) => known.name === name);
  if (name !== undefined && entry === undefined) throw unknownCommand(name, names);
  const asks = (...flags: readonly string[]) =>
    args.slice(0, args.includes('--') ? args.indexOf('--') : undefined).some((argument) => flags.includes(argument));
  const all = asks('--help-all');
  if (all || asks('--help', '-h')) {
    const { helpText } = await import('./help/text.ts');
    terminal.print(helpText(name, all, terminal));
    return;
  }
  if (asks('--version')) {
    terminal.print(version);
    return;
  }
  if (entry === undefined) return refuseNoCommand(args, terminal);
  const others = [...args.slice(0, at), ...args.slice(at + 1)];
  await invoke(entry.name, await entry.load(), others, line, terminal);
}

/** Says what to try first. */
async function refuseNoCommand([flag]: readonly string[], { columns, note, noteStyle }: Terminal): Promise<never> {
  const { welcomePage } = await import('./help/pages.ts');
  note(`${welcomePage({ columns, style: noteStyle })}\n`);
  throw new UsageError(flag === undefined ? 'A command is missing.' : `Expected a command, got ${flag} alone.`);
}

async function invoke(
  name: string,
  command: Command,
  args: readonly string[],
  line: string,
  terminal: Terminal,
): Promise<void> {
  const flags: Flags = { ...command.flags, ...COMMON_FLAGS };
  const { given, positionals } = splitArguments(args, flags);
  for (const key of given.keys()) {
    if (!Object.hasOwn(flags, key)) throw unknownFlag(key, name, Object.keys(flags));
  }
  const absent = command.positionals[positionals.length];
  if (absent?.required) throw new UsageError(`equipoise ${name} needs a ${absent.name}: ${absent.description}.`);
  if (positionals.length > command.positionals.length) {
    throw new UsageError(
      `equipoise ${name} does not take ${positionals[command.positionals.length]}. See equipoise ${name} --help.`,
    );
  }
  const { json = false, quiet = false } = readFlags(given, COMMON_FLAGS);
  const invocation = { flags: readFlags(given, command.flags), positionals, line, json, quiet };
  await limitSizes((invocation.flags as FlagValues<typeof SIZE_FLAG>)['size-limit']);
  await command.run(invocation, quiet ? { ...terminal, note: () => {}, screen: null } : terminal);
}

/**
 * Sets the limit of sizes that every reader of files asks for.
 *
 * @throws UsageError unless it is a number above 0
 */
async function limitSizes(gb: number | undefined): Promise<void> {
  if (gb === undefined) return;
  if (!(gb > 0)) throw new UsageError(`--size-limit expects a number of GB above 0, got ${gb}.`);
  const { setSizeLimit } = await import('../data/files/limits.ts');
  setSizeLimit(gb);
}
