// A sweep under faults: workers, run processes and the server are killed, frozen and asked to end while it runs.
//
// EQUIPOISE_QUEUE_FAULTS says how many faults, EQUIPOISE_QUEUE_SEED names the random choices.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { startServer, type TestServer } from '../../scripts/queue-server.ts';
import { startBackend } from '../../src/backends/start.ts';
import { foldIn, permutation, seedKey, uniform } from '../../src/core/key.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import { runSweep } from '../../src/sweeps/sweep.ts';
import { type Command, expectEqualRuns, runsIn, startCommand } from './commands.ts';
import { intervalAround, intervalsOf, type Moment, momentOf } from './repeated-work.ts';

const FAULTS = Number(process.env.EQUIPOISE_QUEUE_FAULTS ?? 15);
const SEED = process.env.EQUIPOISE_QUEUE_SEED ?? '0';
const LOCK_SECONDS = 3;
/** Longer than the lock of a job and than that of a run's folder. */
const FROZEN_MS = 1000 * LOCK_SECONDS * 1.6;
const WORKERS = 2;

const settings = {
  dataset: 'mnist10k',
  model: 'cnn',
  width: 0.25,
  trainLimit: 640,
  testLimit: 50,
  epochs: 5,
  steps: 2,
  method: 'set',
  updateInterval: 2,
  checkpointEvery: 1,
  backend: 'engine',
} as const;
const flags = [
  ...['--dataset', 'mnist10k', '--model', 'cnn', '--width', '0.25', '--train-limit', '640', '--test-limit', '50'],
  ...['--epochs', '5', '--steps', '2', '--method', 'set', '--update-interval', '2', '--checkpoint-every', '1'],
  ...['--backend', 'engine', '--kernels', 'simd', '--sparsity', '0.5,0.9', '--seeds', '0..5', '--attacks', 'fgsm'],
];
const STEPS_OF_AN_EPOCH = settings.trainLimit / 64;
const jobs = jobsOf({ settings, axes: { sparsity: [0.5, 0.9], seed: [0, 1, 2, 3, 4, 5] } });

/** The processes that a process has started. */
const childrenOf = ({ pid }: Command['process']): number[] => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
};

const signal = (pid: number | undefined, name: NodeJS.Signals): void => {
  try {
    if (pid !== undefined) process.kill(pid, name);
  } catch {
    // It has ended.
  }
};

describe('a sweep by a queue under faults', function () {
  this.timeout(1_800_000);
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-faults-'));
  let server: TestServer;
  const workers: Command[] = [];
  let out = '';

  const startWorker = (): Command =>
    startCommand(
      ['worker', '--queue', server.url, '--out', out, '--threads', '1', '--lock-time', String(LOCK_SECONDS)],
      { cwd: folder },
    );
  const running = ({ process: { exitCode, signalCode } }: Command): boolean => exitCode === null && signalCode === null;

  async function freeze(pids: readonly (number | undefined)[]): Promise<void> {
    for (const pid of pids) signal(pid, 'SIGSTOP');
    await delay(FROZEN_MS);
    for (const pid of pids) signal(pid, 'SIGCONT');
  }

  /** Faults by name, of a worker. */
  const faults: Readonly<Record<string, (worker: Command) => Promise<void>>> = {
    'a worker is killed': async ({ process: { pid } }) => signal(pid, 'SIGKILL'),
    'a worker and its run are killed': async ({ signalGroup }) => signalGroup('SIGKILL'),
    'a run process is killed': async ({ process: child }) => signal(childrenOf(child)[0], 'SIGKILL'),
    'a worker is frozen': async ({ process: { pid } }) => freeze([pid]),
    'a run process is frozen': async ({ process: child }) => freeze(childrenOf(child)),
    'a worker and its run are frozen': async ({ process: child }) => freeze([child.pid, ...childrenOf(child)]),
    'a worker and its run are asked to end': async ({ signalGroup }) => signalGroup('SIGTERM'),
    'the server is killed': async () => server.restart(),
    'the server is frozen': async () => freeze([server.process.pid]),
    'the server is emptied': async () => {
      const redis = new Redis(server.url);
      await redis.flushall();
      redis.disconnect();
    },
  };
  const names = Object.keys(faults);

  before(async () => {
    await startBackend('engine', { threads: 2, kernels: 'simd' });
    const evaluation = { attacks: parseAttacks('fgsm') };
    const { failed } = await runSweep(jobs, { out: join(folder, 'alone'), evaluation });
    expect(failed).to.deep.equal([]);
    server = await startServer({ appendonly: 'yes' });
  });
  after(async () => {
    for (const { signalGroup } of workers) signalGroup('SIGKILL');
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it(`gives the bits of one machine after ${FAULTS} faults, and loses no run`, async () => {
    const key = foldIn(seedKey(SEED), 'faults');
    /** Where runs in training were at faults, by run and time: a run that waits for a worker counts once. */
    const moments = new Map<string, Moment>();
    const look = (round: number): void => {
      for (const run of runsIn(out)) {
        const moment = momentOf(join(out, run));
        if (moment !== null) moments.set(`${round} ${run} ${moment.time}`, moment);
      }
    };
    const intervals: number[] = [];
    let injected = 0;
    for (let round = 0; injected < FAULTS; round++) {
      out = join(folder, `round-${round}`);
      for (const worker of workers.splice(0)) worker.signalGroup('SIGKILL');
      const sweep = startCommand(['sweep', ...flags, '--queue', server.url, '--out', out], { cwd: folder });
      while (running(sweep)) {
        for (const [i, worker] of workers.entries()) if (!running(worker)) workers[i] = startWorker();
        while (workers.length < WORKERS) workers.push(startWorker());
        const [wait, which] = uniform(foldIn(key, injected), 2);
        await Promise.race([delay(2_000 + 4_000 * wait), sweep.ended]);
        if (injected >= FAULTS || !running(sweep)) continue;
        const order = permutation(foldIn(key, `order ${Math.floor(injected / names.length)}`), names.length);
        const name = names[order[injected % names.length]];
        look(round);
        await faults[name](workers[Math.floor(which * workers.length)]);
        look(round);
        injected++;
        console.log(`      ${injected}: ${name}`);
      }
      expect(await sweep.ended, sweep.said).to.equal(0);
      // Workers that still look at a run which was done meanwhile end first.
      for (const worker of workers) worker.signalGroup('SIGTERM');
      await Promise.all(workers.map(({ ended }) => ended));
      expectEqualRuns(out, join(folder, 'alone'));
      expect(runsIn(out)).to.have.length(12);
      intervals.push(...runsIn(out).flatMap((run) => intervalsOf(join(out, run))));
    }
    const past = [...moments.values()].map(({ stepsPast }) => stepsPast);
    const around = intervalAround(intervals);
    // The step that was under way is half done on average.
    const mean = past.reduce((a, b) => a + b, 0) / past.length + 0.5;
    console.log(
      `      at ${past.length} moments, runs were on average ${mean.toFixed(1)} steps past a checkpoint, and the interval around them ${around.toFixed(1)} steps long: ${(mean / around).toFixed(2)} intervals`,
    );
    expect(past).to.not.have.length(0);
    expect(Math.max(...past), 'every epoch ends with a checkpoint').to.be.at.most(STEPS_OF_AN_EPOCH);
  });
});
