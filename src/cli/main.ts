#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { InputError, UsageError } from '../core/errors.ts';
import { endWithReader } from './closed-pipe.ts';
import { runCommandLine } from './run.ts';
import type { Terminal } from './terminal.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));

const abort = new AbortController();
let interruption: NodeJS.Signals | null = null;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // A second signal ends the process at once, and the one that stopped a command ends it as signals do.
    for (const listened of ['SIGINT', 'SIGTERM']) process.removeAllListeners(listened);
    interruption = name;
    process.stderr.write('\nStopping at the next safe point; once more stops at once.\n');
    abort.abort(name);
  });
}
endWithReader();

const terminal: Terminal = {
  print: (text) => void process.stdout.write(`${text}\n`),
  note: (text) => void process.stderr.write(`${text}\n`),
  screen: process.stderr.isTTY ? process.stderr : null,
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
