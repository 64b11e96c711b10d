import { startBackend } from '../../backends/start.ts';
import { InputError } from '../../core/errors.ts';
import { writeReport } from '../../reporting/report.ts';
import { type Job, jobsOf, parseShard, shardOf } from '../../sweeps/grid.ts';
import { type JobEvent, warningOf } from '../../sweeps/job.ts';
import { runSweep, type SweepEvent, type SweepResult } from '../../sweeps/sweep.ts';
import type { NameOf } from '../../training/config/config.ts';
import { defineCommand } from '../command.ts';
import { ATTACK_FLAGS, attacksOf, checkRadii } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS, CONFIG_FLAGS, type Flags, type FlagValues } from '../flags/flags.ts';
import { bytesOf, checkFolders, type OpenedFiles, openFiles } from '../flags/given-files.ts';
import { gridOf, namesFor, SWEEP_SETTING_FLAGS, settingsOf, withConfigFile } from '../flags/setting-flags.ts';
import { percent } from '../terminal/format.ts';
import { rateOf, showProgress } from '../terminal/progress-bar.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { reportText } from './report.ts';

const SWEEP_FLAGS = {
  out: { kind: 'text', description: "the folder of the runs' folders; default: runs/sweep" },
  jobs: { kind: 'number', description: 'runs at once, each in a process of its own; default 1', whole: [1, 1024] },
  shard: { kind: 'text', description: 'only part i of n of the runs, as 1/4, for several machines' },
  evaluate: { kind: 'switch', description: 'evaluate every run; --no-evaluate leaves it out' },
  'evaluation-epsilon': { kind: 'numbers', description: 'radii of the evaluation; default: that of training' },
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
  async run({ flags: given, json }, terminal) {
    const { settings, named, files, nameOf, flags } = await settingsFor(given);
    const { out = 'runs/sweep', 'evaluation-epsilon': epsilons } = flags;
    const attacks = attacksOf(flags);
    checkRadii('evaluation-epsilon', epsilons);
    const shard = flags.shard === undefined ? { index: 1, count: 1 } : parseShard(flags.shard);
    const cacheMemory = bytesOf(flags['cache-memory']);
    const planned = jobsOf(gridOf(settings), { nameOf });
    await checkFolders(flags, named, planned[0].config.dataset);
    if (flags['print-config']) {
      terminal.print(JSON.stringify(planned, null, 2));
      return;
    }
    const backend = await startSweep(planned, flags, terminal);
    const jobs = shardOf(jobsOf(gridOf({ ...settings, backend })), shard);
    const show = await showSweep(jobs, terminal);
    let result: SweepResult;
    try {
      result = await runSweep(jobs, {
        out,
        ...files,
        dataDirectory: flags.data,
        cacheMemory,
        evaluation: flags.evaluate === false ? null : { attacks, epsilons },
        ...(flags.jobs === undefined || flags.jobs === 1
          ? {}
          : {
              processes: {
                count: flags.jobs,
                entry: new URL('../sweep-process.js', import.meta.url),
                threads: flags.threads,
                revectorize: flags.revectorize,
              },
            }),
        signal: terminal.signal,
        onEvent: show.update,
      });
    } finally {
      show.stop();
    }
    const evaluated = flags.evaluate !== false;
    await conclude(result, { out, data: flags.data, evaluated, json, warnings: show.warnings() }, terminal);
  },
});

/** What the file and the flags say, by setting, and what messages call these. */
async function settingsFor(given: SweepFlags & Readonly<Record<string, unknown>>): Promise<{
  readonly settings: Readonly<Record<string, unknown>>;
  /** Without what follows from a checkpoint. */
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
  { threads, revectorize }: SweepFlags,
  terminal: Terminal,
): Promise<string> {
  const { name, detail } = await startBackend(config.backend, { threads, revectorize, warn: terminal.note });
  if (config.backend === 'auto') terminal.note(`--backend auto takes ${name} (${detail})`);
  return name;
}

/** A warning that a run had. */
interface RunWarning {
  readonly run: string;
  readonly message: string;
}

interface SweepProgress {
  update(event: SweepEvent): void;
  /** Takes the bar off the screen. */
  stop(): void;
  /** All warnings so far. */
  warnings(): readonly RunWarning[];
}

async function showSweep(jobs: readonly Job[], terminal: Terminal): Promise<SweepProgress> {
  const bar = await showProgress(terminal, rateOf('run'));
  const say = terminal.note;
  const label = ({ position, job }: { position: number; job: Job }) => `[${position + 1}/${jobs.length}] ${job.name}`;
  let missing = jobs.length;
  let ended = 0;
  /** The runs that have a warning, by its text. The first is named at once, the others at the end. */
  const warned = new Map<string, Set<string>>();
  const warn = (event: { readonly position: number; readonly job: Job }, message: string) => {
    const runs = warned.get(message);
    if (runs !== undefined) {
      runs.add(event.job.name);
      return;
    }
    warned.set(message, new Set([event.job.name]));
    say(`${label(event)}: warning: ${message}`);
  };
  const update = (event: SweepEvent) => {
    switch (event.kind) {
      case 'start':
        missing = event.missing;
        say(`${jobs.length} runs, ${jobs.length - missing} of them done before`);
        break;
      case 'job-start':
        if (terminal.screen === null) say(label(event));
        break;
      case 'job-event': {
        const { event: inJob } = event;
        const warning = warningOf(inJob);
        if (warning !== null) {
          warn(event, warning);
          break;
        }
        const text = `${label(event)}: ${progressOf(inJob)}`;
        bar.update(ended + fractionOf(event), missing, text, '');
        break;
      }
      case 'job-end':
        ended += 1;
        say(
          `${label(event)}: ${event.status.kind === 'failed' ? `failed: ${event.status.message}` : event.status.kind}`,
        );
        bar.update(ended, missing, '', '');
        break;
      default:
        event satisfies never;
    }
  };
  const stop = () => {
    for (const [message, runs] of warned) {
      const others = [...runs].slice(1);
      if (others.length > 0) say(`${others.join(', ')}: warning, as before: ${message}`);
    }
    bar.stop();
  };
  const warnings = () => [...warned].flatMap(([message, runs]) => [...runs].map((run) => ({ run, message })));
  return { update, stop, warnings };
}

function progressOf(event: JobEvent): string {
  if (event.kind === 'warning') return event.message;
  if (event.kind === 'evaluate') {
    const { done, total, clean, robust } = event.progress;
    return `evaluating ${done}/${total}, ${percent(clean)} clean${robust === null ? '' : `, ${percent(robust)} robust`}`;
  }
  const { event: progress } = event;
  if (progress.kind === 'step')
    return `epoch ${progress.epoch}, batch ${progress.batch}/${progress.batches}, loss ${progress.meanLoss.toFixed(3)}`;
  return 'epoch' in progress ? `epoch ${progress.epoch}` : 'starting';
}

/** How much of a run is done, evaluation counted as nothing. */
function fractionOf({ job, event }: SweepEvent & { kind: 'job-event' }): number {
  if (event.kind !== 'train') return 1;
  const { event: progress } = event;
  if (progress.kind !== 'step') return 'epoch' in progress ? Math.max(0, progress.epoch - 1) / job.config.epochs : 0;
  return (progress.epoch - 1 + progress.batch / progress.batches) / job.config.epochs;
}

interface Conclusion {
  readonly out: string;
  readonly data: string | undefined;
  readonly evaluated: boolean;
  readonly json: boolean;
  readonly warnings: readonly RunWarning[];
}

async function conclude(
  result: SweepResult,
  { out, data, evaluated, json, warnings }: Conclusion,
  terminal: Terminal,
): Promise<void> {
  const { before, done, failed, left } = result;
  const finished = before.length + done.length;
  const report =
    evaluated && finished > 0 && !terminal.signal.aborted
      ? await writeReport(out, { dataDirectory: data, warn: terminal.note })
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
  if (left.length > 0) terminal.note(`${left.length} runs are left; the same command makes them.`);
  if (left.length > 0 && failed.length === 0 && !terminal.signal.aborted) {
    throw new InputError('The processes of these runs were interrupted, and this one was not.');
  }
  if (failed.length > 0) {
    throw new InputError(
      `${failed.length} of ${finished + failed.length + left.length} runs failed; the same command tries them again.`,
    );
  }
}
