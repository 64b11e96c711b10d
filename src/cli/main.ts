#!/usr/bin/env node
// The command: the only file that runs a command line on this process.
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { InputError, StoppedEarly, UsageError } from '../core/errors.ts';
import { shellCommand, withoutCredentials } from '../core/shell.ts';
import { inWords, isSystemError } from '../core/system-errors.ts';
import { runCommandLine } from './run.ts';
import { watchOutput } from './terminal/output-errors.ts';
import { screenOn } from './terminal/screen.ts';
import { INTERRUPTED, listenForSignals } from './terminal/signals.ts';
import { styleOf } from './terminal/style.ts';
import type { Terminal } from './terminal/terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

const interruption = listenForSignals(() =>
  terminal.note('\nStopping at the next safe point; once more stops at once.'),
);
watchOutput((error) => {
  process.exitCode = 1;
  report(inWords('standard output', 'written', error));
});

const screen = process.stderr.isTTY ? screenOn(process.stderr) : null;
const write = (stream: NodeJS.WriteStream, text: string): void => {
  const line = () => void stream.write(`${text}\n`);
  if (screen === null) line();
  else screen.above(line);
};

const terminal: Terminal = {
  print: (text) => write(process.stdout, text),
  note: (text) => write(process.stderr, text),
  warn: (text) => write(process.stderr, text),
  style: styleOf(process.stdout),
  noteStyle: styleOf(process.stderr),
  screen,
  columns: process.stdout.columns || 100,
  signal: interruption.signal,
};

/** Node ends in silence where nothing is left to do and something is still awaited. */
const sayNeverSettled = (): void => {
  process.exitCode = 1;
  terminal.note(
    'The command waits for a promise that nothing is left to settle. If --module names a module, look for such a promise in it.',
  );
};
process.once('beforeExit', sayNeverSettled);

const args = process.argv.slice(2);
// Other users of the machine see how a process was started. A password in an address is hidden as soon as possible.
const shown = args.map(withoutCredentials);
if (shown.some((word, i) => word !== args[i])) process.title = shellCommand('equipoise', ...shown);

try {
  await runCommandLine(args, version, terminal);
  interruption.end();
} catch (thrown) {
  if (isInterruption(thrown)) interruption.end();
  process.exitCode = thrown instanceof StoppedEarly ? INTERRUPTED : thrown instanceof UsageError ? 2 : 1;
  report(isSystemError(thrown) && thrown.path !== undefined ? inWords(thrown.path, 'used', thrown) : thrown);
}
process.off('beforeExit', sayNeverSettled);

/** True if an error only says that a signal stopped the work, and not that something failed meanwhile. */
function isInterruption(thrown: unknown): boolean {
  const { signal } = interruption;
  return signal.aborted && (thrown === signal.reason || (thrown instanceof Error && thrown.name === 'AbortError'));
}

function report(thrown: unknown): void {
  if (thrown instanceof InputError) {
    terminal.note(terminal.noteStyle('bad', withoutCredentials(thrown.message)));
    return;
  }
  terminal.note(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  terminal.note(
    `\nThis is a fault in Equipoise ${version} (Node ${process.version}, ${process.platform} ${process.arch}). A report needs this line, the command, and the lines above.`,
  );
}
