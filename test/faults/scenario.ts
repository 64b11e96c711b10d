// A command whose file operations fail one by one, and what has to hold after the command is repeated.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { FAULT_KINDS, type Fault, isTelling } from './preload.ts';

const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const preload = new URL('./preload.js', import.meta.url).href;

/** A small command and the folder that it changes. */
export interface Scenario {
  readonly name: string;
  /** Writes files into the folder that the command begins with. */
  readonly files?: (folder: string) => Promise<unknown>;
  /** Commands that are run in it first. */
  readonly before?: readonly (readonly string[])[];
  readonly command: readonly string[];
  /** What a user types after it failed. */
  readonly again: readonly string[];
  readonly who: Fault['who'];
  /** What the command comes to, equal for equal runs. */
  readonly outcome: (folder: string) => Promise<unknown>;
  /** What must be the same after a failure as before the command or after it. Default: nothing. */
  readonly kept?: (folder: string) => Promise<unknown>;
  /** What a reader finds after any failure, a kill too: as before the command or after it, or undefined for nothing. */
  readonly read?: (folder: string) => Promise<unknown>;
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: string;
}

/** Runs the command in a folder and waits for it and for every process that it started. */
async function run(args: readonly string[], cwd: string, fault?: Fault): Promise<Ended> {
  const env = {
    ...process.env,
    ...(fault && { EQUIPOISE_FAULT: JSON.stringify(fault), NODE_OPTIONS: `--import ${preload}` }),
  };
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  await groupEnds(child);
  return { code, signal, said };
}

async function groupEnds({ pid }: ChildProcess): Promise<void> {
  for (;;) {
    try {
      process.kill(-(pid as number), 0);
    } catch {
      return;
    }
    await delay(20);
  }
}

export type FailureKind = (typeof FAULT_KINDS)[number];

/** The scenario at its beginning, undisturbed, and how many file operations that takes. */
export interface Prepared {
  readonly scenario: Scenario;
  readonly root: string;
  readonly expected: unknown;
  /** What `kept` finds before and after the command. */
  readonly keeps: readonly unknown[];
  /** What `read` finds before and after the command. */
  readonly reads: readonly unknown[];
  /** How many operations are telling, by the kind of failure. */
  readonly operations: Readonly<Record<FailureKind, number>>;
}

export async function prepare(scenario: Scenario): Promise<Prepared> {
  const root = mkdtempSync(join(tmpdir(), 'equipoise-faults-'));
  const [start, whole] = ['start', 'whole'].map((name) => join(root, name));
  await mkdir(start);
  await scenario.files?.(start);
  for (const args of scenario.before ?? []) {
    const { code, said } = await run(args, start);
    expect(code, said).to.equal(0);
  }
  await cp(start, whole, { recursive: true });
  const log = join(root, 'operations');
  const count: Fault = { kind: 'count', at: 0, below: whole, who: scenario.who, fired: join(root, 'fired'), log };
  const { code, said } = await run(scenario.command, whole, count);
  expect(code, said).to.equal(0);
  const byProcess = new Map<string, string[]>();
  for (const line of readFileSync(log, 'utf8').trimEnd().split('\n')) {
    const [pid, operation] = line.split(' ');
    byProcess.set(pid, [...(byProcess.get(pid) ?? []), operation]);
  }
  const [longest] = [...byProcess.values()].sort((a, b) => b.length - a.length);
  const both = async (find: Scenario['kept']) => (find === undefined ? [] : [await find(start), await find(whole)]);
  return {
    scenario,
    root,
    expected: await scenario.outcome(whole),
    keeps: await both(scenario.kept),
    reads: await both(scenario.read),
    operations: Object.fromEntries(
      FAULT_KINDS.map((kind) => [kind, longest.filter((operation) => isTelling(kind, operation)).length]),
    ) as Prepared['operations'],
  };
}

export const dispose = ({ root }: Prepared): Promise<void> => rm(root, { recursive: true, force: true });

/** Lets operation `at` fail, repeats the command, and compares with what is expected; a text says what is wrong. */
export async function check(
  { scenario, root, expected, keeps, reads }: Prepared,
  kind: FailureKind,
  at: number,
): Promise<string | null> {
  const folder = join(root, `${kind}-${at}`);
  await cp(join(root, 'start'), folder, { recursive: true });
  const fired = join(root, `fired-${kind}-${at}`);
  try {
    const failed = await run(scenario.command, folder, { kind, at, below: folder, who: scenario.who, fired });
    const where = `${scenario.name}: ${kind} at operation ${at} (${existsSync(fired) ? readFileSync(fired, 'utf8').trim() : 'not reached'})`;
    if (/\n {4}at /.test(failed.said)) return `${where} prints a stack trace:\n${failed.said}`;
    if (
      /ENOSPC|EIO/.test(kind) &&
      existsSync(fired) &&
      failed.code === 0 &&
      !isSame(await scenario.outcome(folder), expected)
    ) {
      return `${where} ends with exit code 0 and another result:\n${failed.said}`;
    }
    if (scenario.kept !== undefined && /ENOSPC|EIO|short/.test(kind)) {
      const found = await scenario.kept(folder);
      if (!keeps.some((kept) => isSame(found, kept))) return `${where} loses what was there:\n${failed.said}`;
    }
    const seen = await scenario.read?.(folder);
    if (seen !== undefined && !reads.some((read) => isSame(seen, read))) {
      return `${where} leaves files that do not belong together:\n${failed.said}`;
    }
    const repeated = await run(scenario.again, folder);
    if (repeated.code !== 0) return `${where} cannot be repeated:\n${failed.said}\n${repeated.said}`;
    const found = await scenario.outcome(folder);
    if (!isSame(found, expected)) {
      return `${where} comes to another result:\n${difference(found, expected)}\n${failed.said}\n${repeated.said}`;
    }
    const remains = (await readdir(folder, { recursive: true })).filter((name) =>
      /\.temporary$|\.interrupted\.json$|\.lock|\.replaced/.test(name),
    );
    return remains.length === 0 ? null : `${where} leaves ${remains.join(', ')}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const difference = (found: unknown, expected: unknown): string => {
  const [a, b] = [found, expected].map((value) => JSON.stringify(value));
  const at = [...a].findIndex((character, i) => character !== b[i]);
  return `${a.slice(Math.max(0, at - 100), at + 100)}\ninstead of\n${b.slice(Math.max(0, at - 100), at + 100)}`;
};
