import yargs from 'yargs';
import { didYouMean } from '../core/did-you-mean.ts';
import { UsageError } from '../core/errors.ts';
import type { Command, Invocation } from './command.ts';
import { COMMANDS, type CommandEntry } from './commands.ts';
import { COMMON_FLAGS, type Flags, readFlags } from './flags/flags.ts';
import type { Terminal } from './terminal/terminal.ts';

/** What yargs adds to the flags. */
const OWN_KEYS = ['_', '$0', 'h', 'help', 'version'];

/** What yargs itself finds wrong, in our words; any other error as it is. */
function usageError(thrown: unknown): unknown {
  if (!(thrown instanceof Error && thrown.name === 'YError')) return thrown;
  const flag = /^Not enough arguments following: (.*)$/.exec(thrown.message)?.[1];
  return new UsageError(flag === undefined ? thrown.message : `--${flag} came without a value.`);
}

/**
 * Runs a command line.
 *
 * @param args without the program's own name
 * @throws UsageError for a wrong one; whatever the command throws
 */
export async function runCommandLine(args: readonly string[], version: string, terminal: Terminal): Promise<void> {
  let start: (() => Promise<void>) | null = null;
  const cli = yargs()
    .scriptName('equipoise')
    .usage('$0 <command>\n\nSparse adversarial training, attacks and robustness evaluation.')
    .exitProcess(false)
    .parserConfiguration({ 'camel-case-expansion': false, 'parse-numbers': false, 'parse-positional-numbers': false })
    .version(version)
    .alias('help', 'h')
    .epilogue('equipoise <command> --help shows the flags of a command.')
    .wrap(Math.min(terminal.columns, 120))
    .fail((message, thrown) => {
      throw thrown ?? new UsageError(message);
    });
  option(cli, COMMON_FLAGS);
  for (const entry of COMMANDS) {
    let command: Command | null = null;
    cli.command(
      entry.name,
      entry.summary,
      async (builder) => {
        command = await entry.load();
        describe(builder, entry, command);
      },
      (given) => {
        start = () => invoke(entry, command as Command, given, terminal);
      },
    );
  }
  const name = args.find((argument) => !argument.startsWith('-'));
  if (name !== undefined && !COMMANDS.some((entry) => entry.name === name)) throw unknownCommand(name);
  const inherited = inheritedName(args);
  if (inherited !== undefined) throw unknownFlag(inherited, name ?? '', []);
  let help = '';
  const parsing = cli.parseAsync([...args], {}, (_error, _given, output) => {
    help = output;
  });
  await parsing.catch((thrown) => {
    throw usageError(thrown);
  });
  if (help !== '') terminal.print(help);
  else if (start !== null) await (start as () => Promise<void>)();
  else throw new UsageError(`${await cli.getHelp()}\n\nA command is missing.`);
}

/** A flag with the name of a property that every object has, such as `--constructor`: yargs itself fails on it. */
const inheritedName = (args: readonly string[]): string | undefined =>
  args.map((argument) => /^--(?:no-)?([^=.]+)/.exec(argument)?.[1] ?? '').find((word) => word in Object.prototype);

type Builder = ReturnType<typeof yargs>;

function describe(builder: Builder, entry: CommandEntry, command: Command): void {
  const positionals = command.positionals
    .map(({ name, required }) => (required ? ` <${name}>` : ` [${name}]`))
    .join('');
  const about = command.positionals.map(({ name, description }) => `\n  ${name}: ${description}`).join('');
  builder.usage(`equipoise ${entry.name}${positionals} [flags]\n\n${capitalised(entry.summary)}.${about}`);
  builder.epilogue('');
  option(builder, command.flags);
  for (const [line, what] of command.examples) builder.example(line, what);
}

function option(builder: Builder, flags: Flags): void {
  for (const [name, { kind, description }] of Object.entries(flags)) {
    builder.option(
      name,
      // With requiresArg a value may begin with a dash, as -8/255 does.
      kind === 'switch'
        ? { type: 'boolean', description }
        : { type: 'string', requiresArg: kind !== 'optional text', description },
    );
  }
}

async function invoke(
  entry: CommandEntry,
  command: Command,
  given: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<void> {
  const flags: Flags = { ...command.flags, ...COMMON_FLAGS };
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(flags, key) && !OWN_KEYS.includes(key)) throw unknownFlag(key, entry.name, Object.keys(flags));
  }
  const positionals = (given._ as readonly unknown[]).slice(1).map(String);
  const absent = command.positionals[positionals.length];
  if (absent?.required) throw new UsageError(`equipoise ${entry.name} needs a ${absent.name}: ${absent.description}.`);
  if (positionals.length > command.positionals.length) {
    throw new UsageError(
      `equipoise ${entry.name} does not take ${positionals[command.positionals.length]}. See equipoise ${entry.name} --help.`,
    );
  }
  const { json = false, quiet = false } = readFlags(given, COMMON_FLAGS);
  const invocation: Invocation<Flags> = { flags: readFlags(given, command.flags), positionals, json, quiet };
  await command.run(invocation, quiet ? { ...terminal, note: () => {}, screen: null } : terminal);
}

function unknownCommand(name: string): UsageError {
  const names = COMMANDS.map((entry) => entry.name);
  const near = didYouMean(name, names);
  return new UsageError(
    `There is no command ${name}. ${near ? `Did you mean ${near}?` : `Commands are ${names.join(', ')}.`}`,
  );
}

function unknownFlag(name: string, command: string, names: readonly string[]): UsageError {
  const near = didYouMean(name, names);
  return new UsageError(
    `equipoise ${command} has no flag --${name}. ${near ? `Did you mean --${near}?` : `See equipoise ${command} --help.`}`,
  );
}

const capitalised = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
