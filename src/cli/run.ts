// Runs a command line: answers what asks for help, and has yargs find the command and its flags.
import { UsageError } from '../core/errors.ts';
import { shellCommand, withoutCredentials } from '../core/shell.ts';
import { untilAborted } from '../core/until-aborted.ts';
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
  const words = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined);
  const asks = (...flags: readonly string[]) => words.some((word) => flags.includes(word));
  const all = asks('--help-all');
  if (all || asks('--help', '-h')) {
    const { helpText } = await import('./help/text.ts');
    const name = args.find((word) => !word.startsWith('-'));
    terminal.print(helpText(name, all, terminal));
    return;
  }
  // Help needs no package, so it starts at once.
  const { default: yargs } = await import('yargs');
  const { checkSwitches, PARSER_CONFIGURATION, yargsOptions } = await import('./flags/yargs-options.ts');
  let output = '';
  let called = null as Called | null;
  const cli = yargs()
    .exitProcess(false)
    .detectLocale(false)
    .help(false)
    .version(version)
    .parserConfiguration(PARSER_CONFIGURATION)
    .options(yargsOptions(COMMON_FLAGS))
    .strictCommands()
    .strictOptions()
    .fail(false);
  for (const { name, summary, load } of COMMANDS) {
    cli.command(name, summary, async (builder) => {
      const command = await load();
      called = { name, command, flags: { ...command.flags, ...COMMON_FLAGS } };
      checkSwitches(words, called.flags);
      // The words after the name of a command are not names of further commands.
      builder.strictCommands(false).options(yargsOptions(called.flags));
    });
  }
  const parse = async () =>
    cli.parseAsync(args, {}, (_error, _given, text) => {
      output = text;
    });
  const given = await parse().catch((thrown) => {
    throw inOurWords(thrown, called);
  });
  if (output !== '') terminal.print(output);
  else if (called === null) await refuseNoCommand(args, terminal);
  else await invoke(called, given, shellCommand('equipoise', ...args.map(withoutCredentials)), terminal);
}

/** The command that a command line calls. */
interface Called {
  readonly name: string;
  readonly command: Command;
  /** Its own and those that every command has. */
  readonly flags: Flags;
}

/** Flags that are answered before yargs reads the others. */
const HELP = ['help', 'help-all', 'version'] as const;

/** What yargs finds wrong, in our words; any other error as it is. */
function inOurWords(thrown: unknown, called: Called | null): unknown {
  const finding = /^(Unknown command|Unknown argument|Not enough arguments following)s?: (.*?)(?:, .*)?$/s;
  const [, about, word] = (thrown instanceof Error && finding.exec(thrown.message)) || [];
  const { name, flags } = called ?? { name: null, flags: COMMON_FLAGS };
  switch (about) {
    case 'Unknown command':
      return unknownCommand(
        word,
        COMMANDS.map((entry) => entry.name),
      );
    case 'Unknown argument':
      return unknownFlag(word, name === null ? 'equipoise' : `equipoise ${name}`, [...Object.keys(flags), ...HELP]);
    case 'Not enough arguments following':
      return new UsageError(`--${word} needs a value, got none.`);
    default:
      return thrown;
  }
}

/** Says what to try first. */
async function refuseNoCommand([flag]: readonly string[], { columns, note, noteStyle }: Terminal): Promise<never> {
  const { welcomePage } = await import('./help/pages.ts');
  note(`${welcomePage({ columns, style: noteStyle })}\n`);
  throw new UsageError(flag === undefined ? 'A command is missing.' : `Expected a command, got ${flag} alone.`);
}

/** @param given what yargs read: flags by name, and the words beside them, of which the first is the command's name */
async function invoke(
  { name, command }: Called,
  given: Readonly<Record<string, unknown>> & { readonly _: readonly (string | number)[] },
  line: string,
  terminal: Terminal,
): Promise<void> {
  const positionals = given._.slice(1).map(String);
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
  const running = command.run(invocation, quiet ? { ...terminal, note: () => {}, screen: null } : terminal);
  await (command.endsAtOnce ? untilAborted(running, terminal.signal) : running);
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
