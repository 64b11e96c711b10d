#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { InputError, UsageError } from '../core/errors.ts';
import { endWithReader } from './closed-pipe.ts';
import { runCommandLine } from './run.ts';
import { screenOn } from './screen.ts';
import type { Terminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

const abort = new AbortController();
let interruption: NodeJS.Signals | null = null;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // A second signal ends the process at once, and the one that stopped a command ends it as signals do.
    for (const listened of ['SIGINT', 'SIGTERM']) process.removeAllListeners(listened);
    interruption = name;
    terminal.note('\nStopping at the next safe point; once more stops at once.');
    abort.abort(name);
  });
}
endWithReader();

const screen = process.stderr.isTTY ? screenOn(process.stderr) : null;
const write = (stream: NodeJS.WriteStream, text: string): void => {
  const line = () => void stream.write(`${text}\n`);
  if (screen === null) line();
  else screen.above(line);
};

const terminal: Terminal = {
  print: (text) => write(process.stdout, text),
  note: (text) => write(process.stderr, text),
  screen,
  columns: process.stdout.columns ?? 100,
  signal: abort.signal,
};

try {
  await runCommandLine(process.argv.slice(2), version, terminal);
} catch (thrown) {
  process.exitCode = thrown instanceof UsageError ? 2 : 1;
  if (interruption === null || thrown instanceof InputError) report(thrown);
}
if (interruption !== null) process.kill(process.pid, interruption);

function report(thrown: unknown): void {
  if (thrown instanceof InputError) {
    terminal.note(thrown.message);
    return;
  }
  terminal.note(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
  terminal.note(
    `\nThis is a fault in Equipoise ${version} (Node ${process.version}, ${process.platform} ${process.arch}). A report needs this line, the command, and the lines above.`,
  );
}
