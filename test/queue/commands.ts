// Commands in processes of their own, each the leader of a group, and their runs held against those of one machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

export interface Command {
  readonly process: ChildProcess;
  /** Standard output and standard error so far. */
  readonly said: string;
  /** The exit code, once it has ended; null after a signal. */
  readonly ended: Promise<number | null>;
  signalGroup(signal: NodeJS.Signals): void;
}

/**
 * Starts a command.
 *
 * @param preload a module that the process loads first
 */
export function startCommand(
  args: readonly string[],
  {
    cwd,
    env = {},
    preload,
  }: { readonly cwd: string; readonly env?: Readonly<Record<string, string>>; readonly preload?: URL },
): Command {
  const imports = preload === undefined ? [] : ['--import', preload.href];
  const child = spawn(process.execPath, [...imports, MAIN, ...args], {
    cwd,
    detached: true,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  }
  return {
    process: child,
    get said() {
      return said;
    },
    ended: once(child, 'close').then(([code]) => code),
    signalGroup: (signal) => {
      try {
        process.kill(-(child.pid as number), signal);
      } catch {
        // It has ended.
      }
    },
  };
}

/** The columns of metrics.csv that are times. */
const TIMES = ['seconds', 'attack_share'];

/** The numbers of a run without its times. */
function metricsOf(run: string): string[][] {
  const rows = readFileSync(join(run, 'metrics.csv'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((row) => row.split(','));
  const kept = [...rows[0].keys()].filter((i) => !TIMES.includes(rows[0][i]));
  return rows.map((row) => kept.map((i) => row[i]));
}

/** Events that a run has once each, however often it was stopped. */
const ONCE = ['start', 'epoch', 'mask-update', 'end'];

/** The events of a run that must be those of one machine, in order. */
const eventsOf = (run: string): string[] =>
  readFileSync(join(run, 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ kind }) => ONCE.includes(kind))
    .map(({ kind, epoch, step }) => `${kind} ${epoch} ${step}`);

/** Holds every run in a folder against that of one machine: weights, metrics, events and evaluations. */
export function expectEqualRuns(found: string, wanted: string): void {
  const names = runsIn(wanted);
  expect(runsIn(found)).to.deep.equal(names);
  for (const name of names) {
    const [here, there] = [join(found, name), join(wanted, name)];
    for (const file of [
      'config.json',
      'checkpoints/last.safetensors',
      'checkpoints/best.safetensors',
      'evaluation.json',
    ]) {
      expect(readFileSync(join(here, file)).equals(readFileSync(join(there, file))), `${name}/${file}`).to.equal(true);
    }
    expect(metricsOf(here), name).to.deep.equal(metricsOf(there));
    expect(eventsOf(here), name).to.deep.equal(eventsOf(there));
    expect(existsSync(join(here, 'run.lock')), `${name}/run.lock`).to.equal(false);
  }
}

/** The folders of runs in a folder, by name. */
export const runsIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => existsSync(join(folder, name, 'config.json')))
        .sort()
    : [];
