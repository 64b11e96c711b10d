// The command that trains and evaluates a grid of settings.
import type { StartedBackend } from '../../backends/start.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { counted } from '../../core/quantities.ts';
import { checkCheckpointNames } from '../../evaluation/targets/checkpoint-names.ts';
import { writeReport } from '../../reporting/report.ts';
import { type Job, jobsOf, parseShard, shardOf } from '../../sweeps/grid.ts';
import type { JobEvaluation } from '../../sweeps/job.ts';
import type { QueueAddress } from '../../sweeps/queue/address.ts';
import { runSweep, type SweepResult } from '../../sweeps/sweep.ts';
import type { NameOf } from '../../training/config/config.ts';
import { defineCommand } from '../command.ts';
import { ATTACK_FLAGS, attacksOf, checkNorms, checkRadii } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS, CONFIG_FLAGS, type Flags, type FlagValues } from '../flags/flags.ts';
import { bytesOf, checkFolders, type OpenedFiles, openFiles } from '../flags/given-files.ts';
import { MODEL_FLAGS } from '../flags/model-flags.ts';
import { addressOf, QUEUE_FLAGS } from '../flags/queue-flags.ts';
import { gridOf, namesFor, SWEEP_SETTING_FLAGS, settingsOf, withConfigFile } from '../flags/setting-flags.ts';
import { cancelOnQueue, type QueueSweep, type QueueSweepResult, sweepOnQueue, watchQueue } from '../queue-sweep.ts';
import { startFromFlags } from '../start.ts';
import { type RunWarning, showSweep } from '../terminal/sweep-progress.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { reportText } from './report.ts';

const SWEEP_FLAGS = {
  out: { kind: 'text', value: 'FOLDER', description: "the folder of the runs' folders; default: runs/sweep" },
  jobs: { kind: 'number', description: 'runs at once, each in a process of its own; default: 1', whole: [1, 1024] },
  shard: {
    kind: 'text',
    group: 'Run',
    description: 'train only part i of n of the runs, such as 1/4, to use several machines',
  },
  ...QUEUE_FLAGS,
  follow: {
    kind: 'switch',
    group: 'Run',
    description: 'with --queue: show all runs of the queue and add none; --no-follow adds runs and ends at once',
  },
  cancel: {
    kind: 'switch',
    group: 'Run',
    description: 'with --queue: cancel these runs, or without settings all runs of the queue',
  },
  evaluate: { kind: 'switch', description: 'evaluate every run; --no-evaluate only trains' },
  'evaluation-epsilon': {
    kind: 'numbers',
    group: 'Attack',
    description: 'radii of the evaluation; default: that of training',
  },
  'evaluation-norms': {
    kind: 'named numbers',
    group: 'Attack',
    description: 'several norms of the evaluation, each at one radius, as linf=8/255,l2=0.5,l1=12',
  },
  checkpoints: MODEL_FLAGS.checkpoints,
  ...ATTACK_FLAGS,
  ...BACKEND_FLAGS,
  ...CONFIG_FLAGS,
} as const satisfies Flags;

type SweepFlags = FlagValues<typeof SWEEP_FLAGS>;

export const sweep = defineCommand({
  positionals: [],
  flags: { ...SWEEP_SETTING_FLAGS, ...SWEEP_FLAGS } as typeof SWEEP_FLAGS & Flags,
  examples: [
    ['equipoise sweep --sparsity 0,0.9,0.95,0.99 --optimizer sgd,agent --seeds 0..4', 'AGENT against SGD, 40 runs'],
    ['equipoise sweep --config sweep.yaml --jobs 4', 'a grid from a file, four runs at once'],
  ],
  async run({ flags: given, line, json }, terminal) {
    const { settings, named, files, nameOf, flags } = await settingsFor(given);
    const { out = 'runs/sweep' } = flags;
    const address = queueOf(flags, named);
    if (address !== null && flags.follow) return watchQueue(address, json, terminal);
    const evaluation = evaluationOf(flags);
    const shard = flags.shard === undefined ? { index: 1, count: 1 } : parseShard(flags.shard);
    const cacheMemory = bytesOf(flags['cache-memory']);
    const planned = jobsOf(gridOf(settings), { nameOf });
    await checkFolders(flags, named, planned[0].config.dataset);
    if (flags['print-config']) {
      terminal.print(JSON.stringify(planned, null, 2));
      return;
    }
    if (address !== null && flags.cancel && Object.keys(named).length === 0)
      return cancelOnQueue(address, null, json, terminal);
    const { name: backend, kernels } = await startSweep(planned, flags, terminal);
    const jobs = shardOf(jobsOf(gridOf({ ...settings, backend })), shard);
    const about = { out, data: flags.data, evaluated: evaluation !== null, line, json };
    if (address !== null) {
      if (flags.cancel) return cancelOnQueue(address, { jobs, evaluation }, json, terminal);
      const queueSweep = { jobs, evaluation, out, dataDirectory: flags.data, kernels, follow: flags.follow !== false };
      const result = await sweepOnQueue(address, queueSweep, terminal);
      await conclude(result, { ...about, warnings: result.warnings, left: leftOnQueue(result, queueSweep) }, terminal);
      return;
    }
    const show = await showSweep(jobs, { workers: flags.jobs ?? 1, evaluated: evaluation !== null }, terminal);
    let result: SweepResult;
    try {
      result = await runSweep(jobs, {
        out,
        ...files,
        dataDirectory: flags.data,
        cacheMemory,
        evaluation,
        ...(flags.jobs === undefined || flags.jobs === 1
          ? {}
          : {
              processes: {
                count: flags.jobs,
                entry: new URL('../sweep-process.js', import.meta.url),
                threads: flags.threads,
                revectorize: flags.revectorize,
                kernels: flags.kernels,
              },
            }),
        signal: terminal.signal,
        onEvent: show.update,
      });
    } finally {
      show.stop();
    }
    const left = {
      note: `${counted(result.left.length, 'run', ['is', 'are'])} left; the same command continues.`,
      error: 'The processes of these runs were interrupted, and this one was not.',
    };
    await conclude(result, { ...about, warnings: show.warnings(), left }, terminal);
  },
});

/**
 * How the runs are evaluated, read before the first is trained; null for not at all.
 *
 * @throws UsageError
 */
function evaluationOf(flags: SweepFlags): JobEvaluation | null {
  const { 'evaluation-epsilon': epsilons, 'evaluation-norms': norms } = flags;
  const attacks = attacksOf(flags);
  checkRadii('evaluation-epsilon', epsilons);
  checkNorms('evaluation-norms', norms, { 'evaluation-epsilon': epsilons });
  checkCheckpointNames(flags.checkpoints);
  if (flags.evaluate === false) return null;
  return { attacks, epsilons, norms, checkpoints: flags.checkpoints as JobEvaluation['checkpoints'] };
}

/**
 * The queue of a sweep, read before anything is computed; null for none.
 *
 * @throws UsageError if its address cannot be read, or flags say nothing beside or without a queue
 */
function queueOf(flags: SweepFlags, named: Readonly<Record<string, unknown>>): QueueAddress | null {
  const { queue, follow, cancel, jobs, 'cache-memory': cacheMemory } = flags;
  if (queue === undefined && (follow !== undefined || cancel !== undefined)) {
    throw new UsageError(
      `--${follow === undefined ? 'cancel' : 'follow'} needs --queue, such as --queue redis://HOST:PORT.`,
    );
  }
  if (queue === undefined) return null;
  if (jobs !== undefined || cacheMemory !== undefined) {
    throw new UsageError(
      `--${jobs === undefined ? 'cache-memory' : 'jobs'} does not apply with --queue, since each worker has its own. Give it to equipoise worker.`,
    );
  }
  if (follow && cancel) throw new UsageError('--follow and --cancel exclude each other. Give one of them.');
  if (follow && Object.keys(named).length > 0) {
    throw new UsageError(
      '--follow shows all runs of the queue and takes no settings. To see only the runs of these settings, leave out --follow; runs that are in the queue are not added again.',
    );
  }
  return addressOf(queue);
}

/** The message about runs that are still in a queue, or that were cancelled. */
function leftOnQueue({ left, cancelled }: QueueSweepResult, { follow }: QueueSweep): Conclusion['left'] {
  const others = left.length - cancelled.length;
  return {
    note: [
      ...(cancelled.length > 0
        ? [`${counted(cancelled.length, 'run', ['was', 'were'])} cancelled; the same command makes what is left.`]
        : []),
      ...(others > 0
        ? [
            `${counted(others, 'run', ['is', 'are'])} in the queue, where workers continue without this command. The same command returns to it.`,
          ]
        : []),
    ].join(' '),
    error: follow ? 'Runs were cancelled.' : null,
  };
}

/** What the file and the flags say, by setting, and what messages call these. */
async function settingsFor(given: SweepFlags & Readonly<Record<string, unknown>>): Promise<{
  readonly settings: Readonly<Record<string, unknown>>;
  /** The configuration as the user named it, without what follows from a checkpoint. */
  readonly named: Readonly<Record<string, unknown>>;
  readonly files: OpenedFiles['files'];
  readonly nameOf: NameOf;
  /** The command's own flags, those in the configuration file included. */
  readonly flags: SweepFlags;
}> {
  const { settings: file, flags } = await withConfigFile(given, SWEEP_FLAGS, { lists: true });
  const { files, content, defaults } = await openFiles(flags);
  const settings = { ...settingsOf({ ...given, seed: given.seeds }), ...content };
  const nameOf = namesFor({ path: given.config, says: file }, settings, { seeds: true });
  const named = { ...file, ...settings };
  return { settings: { ...defaults, ...named }, named, files, nameOf, flags };
}

/** Starts the backend of the first job, and says which it is, so that every run records it. */
async function startSweep(
  [{ config }]: readonly Job[],
  flags: SweepFlags,
  terminal: Terminal,
): Promise<StartedBackend> {
  const started = await startFromFlags(flags, terminal, config.backend);
  if (config.backend === 'auto') terminal.note(`--backend auto takes ${started.name} (${started.detail})`);
  return started;
}

interface Conclusion {
  readonly out: string;
  readonly data: string | undefined;
  readonly evaluated: boolean;
  readonly line: string;
  readonly json: boolean;
  readonly warnings: readonly RunWarning[];
  /** The note about runs that are left, and the error that ends the command unless something has stopped this process. */
  readonly left: { readonly note: string; readonly error: string | null };
}

async function conclude(
  result: SweepResult,
  { out, data, evaluated, line, json, warnings, left: ofLeft }: Conclusion,
  terminal: Terminal,
): Promise<void> {
  const { before, done, failed, left } = result;
  const finished = before.length + done.length;
  const report =
    evaluated && finished > 0 && !terminal.signal.aborted
      ? await writeReport(out, { dataDirectory: data, command: line, signal: terminal.signal, warn: terminal.warn })
      : null;
  if (json) {
    const names = (jobs: readonly Job[]) => jobs.map(({ name }) => name);
    terminal.print(
      JSON.stringify(
        {
          out,
          before: names(before),
          done: names(done),
          failed: failed.map(({ job, message }) => ({ run: job.name, message })),
          left: names(left),
          warnings,
          files: report?.files ?? null,
        },
        null,
        2,
      ),
    );
  } else if (report !== null) {
    terminal.print(`${reportText(report)}\npage: ${report.files.page}`);
  }
  if (left.length > 0) terminal.note(ofLeft.note);
  if (left.length > 0 && failed.length === 0 && !terminal.signal.aborted && ofLeft.error !== null) {
    throw new InputError(ofLeft.error);
  }
  if (failed.length > 0) {
    throw new InputError(
      `${failed.length} of ${finished + failed.length + left.length} runs failed; the same command tries them again.`,
    );
  }
}
