// A sweep by a queue: what queue and processes cost beside the runs, how soon a worker works, and what many jobs take.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import { parseAddress } from '../../src/sweeps/queue/address.ts';
import { cancel, enqueue, queuedRun } from '../../src/sweeps/queue/enqueue.ts';
import { queuedJob } from '../../src/sweeps/queue/job-data.ts';
import { type OpenQueue, openQueue } from '../../src/sweeps/queue/open.ts';
import { startServer } from '../queue-server.ts';
import type { Context, Section } from './context.ts';
import { markdownTable, number, percent } from './table.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const JOBS = 10_000;
/** About a minute a run on one thread of an ordinary processor; `--width` makes it shorter. */
const runFlags = ({ width, rounds }: Context): string[] => [
  ...['--dataset', 'mnist10k', '--model', 'cnn', '--method', 'static', '--sparsity', '0.9', '--epochs', '8'],
  ...['--train-limit', '4000', '--steps', '10', '--test-limit', '200', '--attacks', 'pgd-20', '--backend', 'engine'],
  ...['--width', String(width), '--seeds', `0..${runsOf({ rounds }) - 1}`],
];

/** Two runs a round, so that two workers have as many each. */
const runsOf = ({ rounds }: Pick<Context, 'rounds'>): number => 2 * rounds;

/** Runs a command to its end; its seconds. */
async function timed(args: readonly string[]): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args, '--quiet'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`equipoise ${args.join(' ')} ended with exit code ${code}`);
  return (performance.now() - start) / 1000;
}

/** Seconds, server memory and own memory that many jobs take. */
async function manyJobs(queue: OpenQueue) {
  const [{ config }] = jobsOf({ settings: { dataset: 'cifar10', model: 'vgg16', optimizer: 'agent' }, axes: {} });
  const provenance = {
    version: '0.1.0',
    backend: 'equipoise simd',
    kernels: 'simd',
    fingerprint: 'f'.repeat(16),
    data: 'd'.repeat(64),
  };
  const data = queuedJob(config, { attacks: parseAttacks('pgd-20,pgd-20x2-cw') }, provenance);
  const runs = Array.from({ length: JOBS }, (_, seed) =>
    queuedRun({ name: `run-${seed}` }, { ...data, config: { ...config, seed } }),
  );
  const used = async () => Number(/used_memory:(\d+)/.exec(await queue.redis.info('memory'))?.[1]);
  const before = { server: await used(), own: process.memoryUsage().rss, at: performance.now() };
  await enqueue(queue, runs);
  const seconds = (performance.now() - before.at) / 1000;
  const server = ((await used()) - before.server) / JOBS;
  const own = (process.memoryUsage().rss - before.own) / 2 ** 20;
  await cancel(
    queue,
    runs.map(({ id }) => id),
  );
  return { seconds, server, own };
}

/** Seconds from the start of a worker until it waits at the server for a job. */
async function workerStart(queue: OpenQueue, url: string, out: string): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [MAIN, 'worker', '--queue', url, '--out', out, '--quiet'], { stdio: 'ignore' });
  while (!/cmd=bzpopmin/.test(String(await queue.redis.client('LIST')))) await delay(10);
  const seconds = (performance.now() - start) / 1000;
  child.kill('SIGTERM');
  await once(child, 'exit');
  return seconds;
}

/** Runs a sweep by this number of workers of one thread each, which are started before it; returns its seconds. */
async function byWorkers(count: number, url: string, out: string, flags: readonly string[]): Promise<number> {
  const workers = Array.from({ length: count }, () =>
    spawn(process.execPath, [MAIN, 'worker', '--queue', url, '--out', out, '--threads', '1', '--quiet'], {
      stdio: 'ignore',
    }),
  );
  try {
    await delay(3_000);
    return await timed(['sweep', ...flags, '--queue', url, '--out', out]);
  } finally {
    for (const worker of workers) worker.kill('SIGTERM');
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
  }
}

export const sweep: Section = {
  name: 'sweep',
  optional: true,
  conditions: (context) => `${runsOf(context)} runs on one thread each, one time`,
  async run(context) {
    const { folder, log } = context;
    const [flags, runs] = [runFlags(context), runsOf(context)];
    const server = await startServer();
    const queue = await openQueue(parseAddress(server.url));
    try {
      const many = await manyJobs(queue);
      log(`${JOBS} jobs: ${many.seconds.toFixed(1)} s`);
      const start = await workerStart(queue, server.url, join(folder, 'start'));
      const rows: string[][] = [];
      for (const count of [1, 2]) {
        const alone = await timed([
          ...['sweep', ...flags, '--jobs', String(count), '--threads', '1'],
          ...['--out', join(folder, `jobs-${count}`)],
        ]);
        log(`${count} at once without a queue: ${alone.toFixed(1)} s`);
        const queued = await byWorkers(count, server.url, join(folder, `workers-${count}`), flags);
        log(`${count} workers: ${queued.toFixed(1)} s`);
        rows.push([
          String(count),
          ...[alone, queued].flatMap((seconds) => [number(seconds), number((3600 * runs) / seconds)]),
          percent(queued / alone - 1),
        ]);
      }
      return [
        markdownTable(
          [
            ...['runs at once', 'without a queue, s', 'runs an hour', 'by workers, s', 'runs an hour'],
            'more time by workers',
          ],
          rows,
        ),
        '',
        `${JOBS} runs are queued in ${number(many.seconds)} s, with ${number(many.server)} bytes a run on the server and ${number(many.own)} MiB more in the sweep. A worker waits for its first run ${number(start)} s after its start.`,
      ].join('\n');
    } finally {
      await queue.close();
      await server.stop();
    }
  },
};
