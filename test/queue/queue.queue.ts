// Sweeps by a queue on a real server: npm run test:queue.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { startServer, type TestServer } from '../../scripts/queue-server.ts';
import { startBackend } from '../../src/backends/start.ts';
import { InputError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { type Job, jobsOf } from '../../src/sweeps/grid.ts';
import { type Provenance, provenanceHere } from '../../src/sweeps/provenance.ts';
import { parseAddress } from '../../src/sweeps/queue/address.ts';
import { cancel, enqueue, queuedRun, unfinished } from '../../src/sweeps/queue/enqueue.ts';
import { queuedJob } from '../../src/sweeps/queue/job-data.ts';
import { openQueue } from '../../src/sweeps/queue/open.ts';
import { runSweep } from '../../src/sweeps/sweep.ts';
import { sha256OfFile } from '../../src/training/run/fingerprint.ts';
import { rejection } from '../rejection.ts';
import { type Command, expectEqualRuns, runsIn, startCommand } from './commands.ts';

const settings = {
  dataset: 'synthetic',
  model: 'mlp',
  width: 0.1,
  trainLimit: 64,
  testLimit: 20,
  epochs: 3,
  steps: 1,
  method: 'set',
  updateInterval: 1,
  backend: 'engine',
} as const;
const flags = [
  ...['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--test-limit', '20'],
  ...['--epochs', '3', '--steps', '1', '--method', 'set', '--update-interval', '1', '--backend', 'engine'],
  ...['--sparsity', '0.5,0.75', '--attacks', 'fgsm', '--kernels', 'simd'],
];
const evaluation = { attacks: parseAttacks('fgsm') };

/** How long a test waits for what a command does, so that it fails with what the command said. */
const PATIENCE_MS = 300_000;

describe('a sweep by a queue', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-queue-'));
  const jobs = jobsOf({ settings, axes: { sparsity: [0.5, 0.75] } });
  let server: TestServer;
  let provenance: Provenance;
  const started: Command[] = [];
  const start = (args: readonly string[], options: { env?: Record<string, string>; preload?: URL } = {}): Command => {
    const command = startCommand(args, { cwd: folder, ...options });
    started.push(command);
    return command;
  };
  const worker = (out: string, ...more: string[]): string[] => [
    ...['worker', '--queue', server.url, '--out', out, '--threads', '1', '--lock-time', '6', ...more],
  ];
  const sweep = (out: string, ...more: string[]): string[] => [
    ...['sweep', ...flags, '--queue', server.url, '--out', out, ...more],
  ];
  const until = async (seen: () => boolean | Promise<boolean>, command: Command): Promise<void> => {
    const end = Date.now() + PATIENCE_MS;
    while (!(await seen())) {
      expect(command.process.exitCode ?? command.process.signalCode, command.said).to.equal(null);
      expect(Date.now(), `too late for what the command said: ${command.said}`).to.be.below(end);
      await delay(50);
    }
  };
  const runOf = (job: Job, more: Partial<Provenance> = {}) =>
    queuedRun(job, queuedJob(job.config, evaluation, { ...provenance, ...more }));

  before(async () => {
    const { kernels } = await startBackend('engine', { threads: 1, kernels: 'simd' });
    provenance = await provenanceHere({ dataset: 'synthetic' }, { kernels });
    await runSweep(jobs, { out: join(folder, 'alone'), evaluation });
    server = await startServer();
  });
  afterEach(async () => {
    for (const { process: child, signalGroup, ended } of started.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      signalGroup('SIGKILL');
      await ended;
    }
    const queue = await openQueue(parseAddress(server.url));
    await queue.redis.flushall();
    await queue.close();
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('gives the bits of one machine, and a worker that takes one run ends after it', async () => {
    const following = start(sweep('by-queue'));
    const one = start(worker('by-queue', '--once'));
    expect(await Promise.race([one.ended, following.ended]), one.said + following.said).to.equal(0);
    start(worker('by-queue'));
    expect(await following.ended, following.said).to.equal(0);
    expect(following.said).to.contain('2 runs, 0 done before; 2 added to the queue');
    expectEqualRuns(join(folder, 'by-queue'), join(folder, 'alone'));
    const again = start(sweep('by-queue', '--json'));
    expect(await again.ended).to.equal(0);
    expect(again.said).to.contain('"done": []');
  });

  it('goes on at a server that started empty, and trains nothing twice', async () => {
    const own = await startServer();
    try {
      const args = [...flags, '--queue', own.url, '--out', 'refilled'];
      expect(await start(['sweep', ...args, '--no-follow']).ended).to.equal(0);
      const once = ['worker', '--queue', own.url, '--out', 'refilled', '--threads', '1', '--once'];
      const first = start(once);
      expect(await first.ended, first.said).to.equal(0);
      const following = start(['sweep', ...args]);
      await until(() => following.said.includes('1 done before'), following);
      await own.restart();
      await until(() => following.said.includes('1 run was missing in the queue'), following);
      const second = start(once);
      expect(await second.ended, second.said).to.equal(0);
      expect(await following.ended, following.said).to.equal(0);
      expect(second.said.match(/: started/g)).to.have.length(1);
      expectEqualRuns(join(folder, 'refilled'), join(folder, 'alone'));
    } finally {
      await own.stop();
    }
  });

  it('keeps passwords out of what it says and writes, and refuses without them', async () => {
    const own = await startServer({ requirepass: 'hush-hush' });
    try {
      const env = { EQUIPOISE_QUEUE: own.url, EQUIPOISE_QUEUE_PASSWORD: 'hush-hush' };
      const without = start(['worker', '--out', 'secret'], { env: { EQUIPOISE_QUEUE: own.url } });
      expect(await without.ended).to.equal(1);
      expect(without.said).to.contain('wants a password').and.contain('EQUIPOISE_QUEUE_PASSWORD');
      const wrong = start(['worker', '--out', 'secret', '--queue', own.url.replace('//', '//:hush-wrong@')]);
      expect(await wrong.ended).to.equal(1);
      expect(wrong.said).to.contain('does not accept').and.not.contain('hush');
      const following = start(['sweep', ...flags, '--queue', '--out', 'secret'], { env });
      const working = start(['worker', '--out', 'secret', '--threads', '1'], { env });
      expect(await following.ended, following.said).to.equal(0);
      working.signalGroup('SIGTERM');
      expect(await working.ended, working.said).to.equal(75);
      expect(following.said + working.said).not.to.contain('hush');
      for (const entry of readdirSync(join(folder, 'secret'), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        expect(readFileSync(join(entry.parentPath, entry.name), 'latin1'), entry.name).not.to.contain('hush');
      }
      // The page of a sweep shows the command that made it.
      const again = start(['sweep', ...flags, '--out', 'secret', `--queue=${own.url.replace('//', '//:hush-hush@')}`]);
      expect(await again.ended, again.said).to.equal(0);
      const page = readFileSync(join(folder, 'secret', 'report.html'), 'utf8');
      expect(page).to.contain(`--queue=${own.url}`).and.not.contain('hush');
      const seen = start(['worker', '--out', 'secret', '--queue', own.url.replace('//', '//:hush-hush@')]);
      while (!seen.said.includes(own.url) && seen.process.exitCode === null) await delay(20);
      expect(readFileSync(`/proc/${seen.process.pid}/cmdline`, 'utf8'))
        .to.contain(own.url)
        .and.not.contain('hush');
      seen.signalGroup('SIGTERM');
      expect(await seen.ended, seen.said).to.equal(75);
      const beside = start(['worker', own.url.replace('//', '//:hush-hush@'), '--out', 'secret']);
      expect(await beside.ended).to.equal(2);
      expect(beside.said).to.contain('does not take').and.not.contain('hush');
      const { redis, close } = await openQueue(parseAddress(own.url, 'hush-hush'));
      for (const key of await redis.keys('*')) {
        const value = (await redis.type(key)) === 'hash' ? JSON.stringify(await redis.hgetall(key)) : '';
        expect(value).not.to.contain('hush');
      }
      await close();
    } finally {
      await own.stop();
    }
  });

  it('refuses a server that evicts keys, one that is no server of queues, and one that is away', async () => {
    const evicting = await startServer({ 'maxmemory-policy': 'allkeys-lru' });
    const { message } = await rejection(openQueue(parseAddress(evicting.url)));
    expect(message).to.contain('maxmemory-policy allkeys-lru').and.contain('noeviction');
    await evicting.stop();
    const away = await rejection(openQueue(parseAddress(evicting.url)));
    expect(away).to.be.instanceOf(InputError);
    expect(away.message).to.contain('No server answers').and.contain('ECONNREFUSED');
    const missing = await rejection(openQueue(parseAddress(`${server.url}/999`)));
    expect(missing.message).to.contain('no database 999');
  });

  it('is cancelled from anywhere: what waits is removed, and what runs stops and stays saved', async () => {
    const long = flags.with(flags.indexOf('--epochs') + 1, '3000');
    const following = start(['sweep', ...long, '--queue', server.url, '--out', 'cancelled']);
    const working = start(worker('cancelled'));
    const trains = () =>
      runsIn(join(folder, 'cancelled')).some((name) => {
        // A run's folder is there before its events.
        const events = join(folder, 'cancelled', name, 'events.jsonl');
        return existsSync(events) && readFileSync(events, 'utf8').includes('"kind":"epoch"');
      });
    await until(trains, working);
    const watching = start(['sweep', '--queue', server.url, '--follow']);
    const cancelling = start(['sweep', '--queue', server.url, '--cancel', '--json']);
    expect(await cancelling.ended, cancelling.said).to.equal(0);
    expect(JSON.parse(cancelling.said)).to.deep.equal({ removed: 1, stopping: 1 });
    expect(await following.ended, following.said).to.equal(1);
    expect(following.said).to.contain('2 runs were cancelled; the same command makes what is left.');
    await until(() => working.said.includes(': cancelled'), working);
    expect(await watching.ended, watching.said).to.equal(0);
    expect(watching.said).to.contain('queue: 0 queued, 0 running, 0 stalled');
    const [name] = runsIn(join(folder, 'cancelled'));
    const events = readFileSync(join(folder, 'cancelled', name, 'events.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(JSON.parse(events.at(-1) ?? '').kind).to.equal('interrupted');
  });

  it('lets a job that comes to two workers at once be made by one', async () => {
    // Two databases hold the same job, so both workers have it for certain.
    const [job] = jobs;
    for (const database of [1, 2]) {
      const queue = await openQueue(parseAddress(`${server.url}/${database}`));
      await enqueue(queue, [runOf(job)]);
      await queue.close();
    }
    const workers = [1, 2].map((database) =>
      start([
        ...['worker', '--queue', `${server.url}/${database}`, '--out', 'twice', '--threads', '1'],
        ...['--lock-time', '6'],
      ]),
    );
    await Promise.all(workers.map((command) => until(() => command.said.includes(`${job.name}: done`), command)));
    await runSweep([job], { out: join(folder, 'one-alone'), evaluation });
    expectEqualRuns(join(folder, 'twice'), join(folder, 'one-alone'));
  });

  it('leaves runs of another version, of other kernels and of other data to workers that have them', async () => {
    const [first, second] = jobs;
    const queue = await openQueue(parseAddress(server.url));
    const [elsewhere] = jobsOf({ settings: { ...settings, dataset: 'cifar10', sparsity: 0.5 }, axes: {} });
    const newer = runOf(first, { version: '9.9.9' });
    const unknown = { ...newer.data, config: { ...newer.data.config, invented: 1 } };
    await enqueue(queue, [{ ...newer, data: unknown }, runOf(elsewhere), runOf(second)]);
    const working = start(worker('refusing', '--data', join(folder, 'no-data')));
    await until(() => working.said.includes(`${second.name}: done`), working);
    await until(() => /refused: The run was queued for Equipoise 9\.9\.9/.test(working.said), working);
    await until(() => /refused: The files of cifar10/.test(working.said), working);
    expect((await unfinished(queue)).map(({ name }) => name)).to.have.members([first.name, elsewhere.name]);
    // The same run for this version takes the place of the other.
    expect(await enqueue(queue, [runOf(first, { kernels: 'relaxed', backend: 'equipoise relaxed' })])).to.equal(1);
    working.signalGroup('SIGTERM');
    await working.ended;
    const simd = start(worker('refusing', '--kernels', 'simd'));
    await until(() => /refused: The run was queued for the kernels relaxed/.test(simd.said), simd);
    expect(await enqueue(queue, [runOf(first)])).to.equal(1);
    await until(() => simd.said.includes(`${first.name}: done`), simd);
    await queue.close();
    expectEqualRuns(join(folder, 'refusing'), join(folder, 'alone'));
  });

  it('tries the runs that a worker gave back in turn, and says each refusal once', async () => {
    const data = join(folder, 'files');
    mkdirSync(data);
    const checkpoint = join(folder, 'alone', jobs[0].name, 'checkpoints', 'best.safetensors');
    const { updateInterval: _, ...rest } = settings;
    const pruned = (from: string): Job =>
      jobsOf({ settings: { ...rest, method: 'one-shot', sparsity: 0.5, from }, axes: {} })[0];
    const there = runOf(pruned(await sha256OfFile(checkpoint)));
    // Files that are nowhere, of runs whose ids come first in the alphabet.
    const nowhere = [...Array(100).keys()]
      .map((i) => runOf(pruned(String(i).padStart(64, '0'))))
      .filter(({ id }) => id < there.id)
      .slice(0, 2);
    const queue = await openQueue(parseAddress(server.url));
    await enqueue(queue, [there, ...nowhere]);
    const working = start(worker('in-turn', '--data', data));
    await until(() => [there, ...nowhere].every(({ name }) => working.said.includes(`${name}: refused`)), working);
    copyFileSync(checkpoint, join(data, 'any-name.safetensors'));
    await until(() => working.said.includes(`${there.name}: done`), working);
    expect(working.said.match(/: refused/g)).to.have.length(1 + nowhere.length);
    await queue.close();
  });

  it('takes no run while the shared folder cannot be written, and fails none for it', async () => {
    const queue = await openQueue(parseAddress(server.url));
    const shared = join(folder, 'shared');
    /** Puts another thing in the place of the shared folder, at one stroke. */
    const mount = (what: string): void => {
      symlinkSync(what, `${shared}.next`);
      renameSync(`${shared}.next`, shared);
    };
    mkdirSync(join(folder, 'disk'));
    writeFileSync(join(folder, 'file'), '');
    mount('disk');
    const working = start(worker('shared/runs'));
    await until(() => working.said.includes('on the queue'), working);
    mount('file');
    // A worker that was already waiting for a run gives it back, and takes no other.
    await enqueue(
      queue,
      jobs.map((job) => runOf(job)),
    );
    await until(() => working.said.includes('no run is taken at present'), working);
    // A run that is given back at this moment is seen a little later.
    await until(async () => (await unfinished(queue)).length === jobs.length, working);
    mount('disk');
    await until(() => jobs.every(({ name }) => working.said.includes(`${name}: done`)), working);
    expect(working.said).not.to.contain(': failed');
    await queue.close();
    expectEqualRuns(join(shared, 'runs'), join(folder, 'alone'));
    const below = start(worker('file/runs', '--once'));
    expect(await below.ended).to.equal(1);
    expect(below.said).to.contain('a part of the path is a file');
  });

  it('ends after its hours as on SIGTERM', async () => {
    const working = start(worker('hours', '--max-hours', '0.0001'));
    expect(await working.ended, working.said).to.equal(75);
    expect(working.said).to.contain('The worker has run for 0.0001 hours.');
  });

  it('needs no clocks that agree', async () => {
    const following = start(sweep('clocks'));
    const ahead = start(worker('clocks'), { preload: new URL('./clock-ahead.js', import.meta.url) });
    start(worker('clocks'));
    await until(() => /: (started|done)/.test(ahead.said), ahead);
    ahead.signalGroup('SIGTERM');
    expect(await ahead.ended, ahead.said).to.equal(75);
    expect(await following.ended, following.said).to.equal(0);
    expectEqualRuns(join(folder, 'clocks'), join(folder, 'alone'));
  });

  it('takes 10,000 runs in parts, and gives them up again', async () => {
    const queue = await openQueue(parseAddress(server.url));
    const memory = async () => Number(/used_memory:(\d+)/.exec(await queue.redis.info('memory'))?.[1]);
    const before = await memory();
    const { config } = jobs[0];
    const data = queuedJob(config, evaluation, provenance);
    const runs = Array.from({ length: 10_000 }, (_, seed) =>
      queuedRun({ name: `run-${seed}` }, { ...data, config: { ...config, seed } }),
    );
    expect(await enqueue(queue, runs)).to.equal(10_000);
    expect((await memory()) - before).to.be.below(10_000 * 5_000);
    expect(await enqueue(queue, runs)).to.equal(0);
    expect((await unfinished(queue)).length).to.equal(10_000);
    // Whole tables over the first seeds come first.
    const [next] = await queue.queue.getJobs(['prioritized'], 0, 0, true);
    expect(next.name).to.equal('run-0');
    expect(
      await cancel(
        queue,
        runs.map(({ id }) => id),
      ),
    ).to.deep.equal({ removed: 10_000, stopping: 0 });
    expect(await unfinished(queue)).to.deep.equal([]);
    await queue.close();
  });
});
