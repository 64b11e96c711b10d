import { startBackend } from '../../backends/start.ts';
import { InputError } from '../../core/errors.ts';
import { writeReport } from '../../reporting/report.ts';
import { type Job, jobsOf, parseShard, shardOf } from '../../sweeps/grid.ts';
import { runSweep, type SweepResult } from '../../sweeps/sweep.ts';
import type { NameOf } from '../../training/config/config.ts';
import { defineCommand } from '../command.ts';
import { ATTACK_FLAGS, attacksOf, checkRadii } from '../flags/attack-flags.ts';
import { BACKEND_FLAGS, CONFIG_FLAGS, type Flags, type FlagValues } from '../flags/flags.ts';
import { bytesOf, checkFolders, type OpenedFiles, openFiles } from '../flags/given-files.ts';
import { gridOf, namesFor, SWEEP_SETTING_FLAGS, settingsOf, withConfigFile } from '../flags/setting-flags.ts';
import { type RunWarning, showSweep } from '../sweep-progress.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { reportText } from './report.ts';

const SWEEP_FLAGS = {
  out: { kind: 'text', value: 'FOLDER', description: "the folder of the runs' folders; default: runs/sweep" },
  jobs: { kind: 'number', description: 'runs at once, each in a process of its own; default 1', whole: [1, 1024] },
  shard: { kind: 'text', group: 'Run', description: 'only part i of n of the runs, as 1/4, for several machines' },
  evaluate: { kind: 'switch', description: 'evaluate every run; --no-evaluate leaves it out' },
  'evaluation-epsilon': {
    kind: 'numbers',
    group: 'Attack',
    description: 'radii of the evaluation; default: that of training',
  },
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
    const evaluated = flags.evaluate !== false;
    const show = await showSweep(jobs, { workers: flags.jobs ?? 1, evaluated }, terminal);
    let result: SweepResult;
    try {
      result = await runSweep(jobs, {
        out,
        ...files,
        dataDirectory: flags.data,
        cacheMemory,
        evaluation: evaluated ? { attacks, epsilons } : null,
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
    await conclude(result, { out, data: flags.data, evaluated, line, json, warnings: show.warnings() }, terminal);
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

interface Conclusion {
  readonly out: string;
  readonly data: string | undefined;
  readonly evaluated: boolean;
  readonly line: string;
  readonly json: boolean;
  readonly warnings: readonly RunWarning[];
}

async function conclude(
  result: SweepResult,
  { out, data, evaluated, line, json, warnings }: Conclusion,
  terminal: Terminal,
): Promise<void> {
  const { before, done, failed, left } = result;
  const finished = before.length + done.length;
  const report =
    evaluated && finished > 0 && !terminal.signal.aborted
      ? await writeReport(out, { dataDirectory: data, command: line, signal: terminal.signal, warn: terminal.note })
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
