// The command that makes runs which a queue hands out.
import { availableParallelism } from 'node:os';
import { InputError, StoppedEarly, UsageError } from '../../core/errors.ts';
import { plural } from '../../core/quantities.ts';
import { warningOf } from '../../sweeps/job.ts';
import { showAddress } from '../../sweeps/queue/address.ts';
import { openQueue } from '../../sweeps/queue/open.ts';
import { whyUnusable } from '../../sweeps/queue/runs-folder.ts';
import { runWorker } from '../../sweeps/queue/worker.ts';
import { workerName } from '../../sweeps/queue/worker-name.ts';
import type { WorkerEvent } from '../../sweeps/queue/worker-types.ts';
import { defineCommand } from '../command.ts';
import { BACKEND_FLAGS, CONFIG_FLAGS, type Flags } from '../flags/flags.ts';
import { bytesOf, checkIsFolder } from '../flags/given-files.ts';
import { addressOf, QUEUE_FLAGS } from '../flags/queue-flags.ts';

const { data, threads } = BACKEND_FLAGS;

const WORKER_FLAGS = {
  ...QUEUE_FLAGS,
  out: { kind: 'text', description: "the folder of the runs' folders, which all workers and the sweep share" },
  jobs: { kind: 'number', description: 'runs at once, each in a process of its own; default: 1', whole: [1, 1024] },
  once: { kind: 'switch', description: 'take one run, or none if none is queued, and end' },
  'max-hours': { kind: 'number', description: 'save the work and stop after this many hours, with exit code 75' },
  'lock-time': {
    kind: 'number',
    description:
      'seconds without a sign of life after which a run goes to another worker, the same for all; default: 60',
  },
  data: { ...data, description: 'folder of the data sets, and of the files that runs start from' },
  threads,
  kernels: {
    kind: 'text',
    description: 'take only runs of this build of the kernels (relaxed, simd); default: use the build of each run',
  },
  'cache-memory': CONFIG_FLAGS['cache-memory'],
} as const satisfies Flags;

/** The shortest lock that is taken, in seconds; one more fleeting would be lost to any pause of the machine. */
const SHORTEST_LOCK = 1;
/** What a timer of Node can wait for. */
const MOST_HOURS = 500;

export const worker = defineCommand({
  positionals: [],
  flags: WORKER_FLAGS,
  examples: [
    ['equipoise worker --queue redis://server:6379 --out /shared/runs', 'make runs of a queue until Ctrl-C'],
    ['equipoise worker --queue redis://server:6379 --out /shared/runs --jobs 4', 'four runs at once'],
  ],
  async run({ flags, json }, terminal) {
    const address = addressOf(flags.queue);
    const { out, once, kernels, 'max-hours': hours, 'lock-time': lockSeconds = 60 } = flags;
    if (out === undefined) throw new UsageError('A worker needs --out: the folder that it shares with the sweep.');
    if (hours !== undefined && !(hours > 0 && hours <= MOST_HOURS)) {
      throw new UsageError(`--max-hours takes a number above 0 and at most ${MOST_HOURS}, got ${hours}.`);
    }
    if (!(lockSeconds >= SHORTEST_LOCK && lockSeconds <= 3600)) {
      throw new UsageError(`--lock-time takes ${SHORTEST_LOCK} to 3600 seconds, got ${lockSeconds}.`);
    }
    const cacheMemory = bytesOf(flags['cache-memory']);
    await checkIsFolder(out);
    if (kernels !== undefined) (await import('../../backends/engine.ts')).buildOf(kernels);
    const queue = await openQueue(address, terminal.warn);
    const unusable = await whyUnusable(out);
    if (unusable !== null) {
      await queue.close();
      throw new InputError(unusable);
    }
    const timeUp = new AbortController();
    const timer = hours === undefined ? undefined : setTimeout(() => timeUp.abort(), hours * 3_600_000);
    const told = new Set<string>();
    terminal.note(`worker ${workerName()} on the queue ${showAddress(address)}, runs into ${out}`);
    try {
      const tally = await runWorker(queue, {
        out,
        dataDirectory: flags.data,
        cacheMemory,
        jobs: flags.jobs ?? 1,
        threads: flags.threads ?? availableParallelism(),
        kernels,
        entry: new URL('../sweep-process.js', import.meta.url),
        lockMs: 1000 * lockSeconds,
        once,
        signal: AbortSignal.any([terminal.signal, timeUp.signal]),
        onEvent: (event) => {
          const line = lineOf(event);
          if (line === null || (isRepeated(event) && told.has(line))) return;
          if (isRepeated(event)) told.add(line);
          (goesWell(event) ? terminal.note : terminal.warn)(line);
        },
      });
      if (json) terminal.print(JSON.stringify(tally, null, 2));
      else terminal.print(`${plural(tally.done, 'run')} made`);
    } finally {
      clearTimeout(timer);
      await queue.close();
    }
    if (timeUp.signal.aborted && !terminal.signal.aborted) {
      throw new StoppedEarly(
        `The worker has run for ${hours} hours. What it was at is saved, and the queue has it again.`,
      );
    }
  },
});

/** False for messages that are shown with --quiet too. */
const goesWell = (event: WorkerEvent): boolean =>
  event.kind === 'take' || (event.kind === 'end' && !('message' in event.outcome));

/** True for events that may come again and again while nothing changes. They are shown once. */
const isRepeated = (event: WorkerEvent): boolean =>
  event.kind === 'unusable' || (event.kind === 'end' && ['refused', 'in use'].includes(event.outcome.kind));

/** The line for an event; null for events that are too frequent to show. */
function lineOf(event: WorkerEvent): string | null {
  switch (event.kind) {
    case 'take':
      return `${event.run}: started`;
    case 'job-event': {
      const warning = warningOf(event.event);
      return warning === null ? null : `${event.run}: warning: ${warning}`;
    }
    case 'end': {
      const { outcome } = event;
      return `${event.run}: ${outcome.kind}${'message' in outcome ? `: ${outcome.message}` : ''}`;
    }
    case 'lost':
      return `${event.run}: the queue had lost it or given it to another worker (${event.reason}); the run is as it is`;
    case 'unusable':
      return `no run is taken at present: ${event.reason}`;
    default:
      return event satisfies never;
  }
}
