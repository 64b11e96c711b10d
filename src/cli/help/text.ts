// The text of help that a command line asks for.
import type { Terminal } from '../terminal/terminal.ts';
import { unknownCommand } from '../unknown.ts';
import { readManifest } from './manifest.ts';
import { commandPage, everyPage, overviewPage } from './pages.ts';

/** Longer lines are hard to read. */
const MOST_COLUMNS = 120;

/**
 * Help on a command, or on the program.
 *
 * @param all with every flag
 * @throws UsageError if there is no such command
 */
export function helpText(
  name: string | undefined,
  all: boolean,
  { columns, style }: Pick<Terminal, 'columns' | 'style'>,
): string {
  const commands = readManifest();
  const page = { columns: Math.min(columns, MOST_COLUMNS), style };
  if (name === undefined) return (all ? everyPage : overviewPage)(commands, page);
  const command = commands.find((known) => known.name === name);
  if (command !== undefined) return commandPage(command, { ...page, all });
  throw unknownCommand(
    name,
    commands.map((known) => known.name),
  );
}
