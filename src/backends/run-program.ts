// Runs another program and collects its output.
import { spawn } from 'node:child_process';

/** How a program ended. */
export interface Ended {
  /** Its exit code; null if a signal ended it, or it could not be started. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  /** Written to its standard input. */
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly timeoutMs?: number;
}

/** Runs a program to its end, whatever that is; null if there is no such program. */
export function runProgram(
  file: string,
  args: readonly string[],
  { input = '', env, timeoutMs = 60_000 }: ProgramOptions = {},
): Promise<Ended | null> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { env, timeout: timeoutMs });
    const [stdout, stderr]: [string[], string[]] = [[], []];
    child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
    child.on('error', () => resolve(null));
    child.on('close', (code, signal) => resolve({ code, signal, stdout: stdout.join(''), stderr: stderr.join('') }));
    // A program that ends without reading closes the pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** Why a program that did not end well ended, in words. */
export function howItEnded({ code, signal, stderr }: Ended): string {
  switch (signal) {
    case null:
      return lastLine(stderr) ?? `exit code ${code}`;
    case 'SIGILL':
      return 'SIGILL: it uses instructions that this processor does not have';
    case 'SIGTERM':
      return 'it did not answer in time';
    default:
      return [signal, lastLine(stderr)].filter(Boolean).join(': ');
  }
}

const lastLine = (text: string) => text.trim().split('\n').at(-1)?.trim() || null;
