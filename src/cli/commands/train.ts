// The command that trains one run.
import { join } from 'node:path';
import { UsageError } from '../../core/errors.ts';
import { pathWord, shellCommand } from '../../core/shell.ts';
import {
  configHash,
  describe,
  type NameOf,
  readConfig,
  type Setting,
  settingsAffecting,
  type TrainConfig,
} from '../../training/config/config.ts';
import { readRunConfig } from '../../training/run/run-folder.ts';
import type { TaskFiles } from '../../training/task.ts';
import { train as trainRun } from '../../training/train.ts';
import type { RunSummary } from '../../training/types.ts';
import { defineCommand } from '../command.ts';
import { BACKEND_FLAGS, CONFIG_FLAGS, type Flags, type FlagValues } from '../flags/flags.ts';
import { bytesOf, checkFolders, openFiles } from '../flags/given-files.ts';
import { flagOf, namesFor, SETTING_FLAGS, settingsOf, withConfigFile } from '../flags/setting-flags.ts';
import { startFromFlags } from '../start.ts';
import { percent } from '../terminal/format.ts';
import { showTraining } from '../terminal/progress.ts';
import type { Terminal } from '../terminal/terminal.ts';

const TRAIN_FLAGS = {
  out: {
    kind: 'text',
    value: 'FOLDER',
    description: "the run's folder; default: a folder in runs/ named after the configuration",
  },
  resume: {
    kind: 'optional text',
    value: 'FOLDER',
    description: 'continue the run in this folder; without a folder, the run of the same command',
  },
  ...BACKEND_FLAGS,
  ...CONFIG_FLAGS,
} as const satisfies Flags;

export const train = defineCommand({
  positionals: [],
  flags: { ...SETTING_FLAGS, ...TRAIN_FLAGS } as typeof TRAIN_FLAGS & Flags,
  examples: [
    [
      'equipoise train --dataset mnist10k --sparsity 0.95 --optimizer agent',
      'RigL at 95 % with AGENT on shipped digits',
    ],
    ['equipoise train --dataset cifar10 --model resnet18 --epsilon 8/255', 'a dense net on CIFAR-10'],
    ['equipoise train --recipe bsr-net --method rigl', "BSR-Net's schedule with RigL"],
    [
      'equipoise train --from runs/NAME --method one-shot --sparsity 0.95 --epochs 10',
      'prune a trained net, fine-tune it',
    ],
    ['equipoise train --resume runs/NAME', 'go on with a run'],
  ],
  async run({ flags: given, json }, terminal) {
    const { config, files, nameOf, flags } = await configOf(given);
    if (flags['print-config']) {
      terminal.print(JSON.stringify(config, null, 2));
      return;
    }
    const { resolved, out } = await startFor(config, flags, terminal);
    const progress = await showTraining(resolved, `${describe(resolved)}\nrun ${out}`, terminal);
    let summary: RunSummary;
    try {
      summary = await trainRun(resolved, {
        out,
        ...files,
        dataDirectory: flags.data,
        cacheMemory: bytesOf(flags['cache-memory']),
        signal: terminal.signal,
        onProgress: progress.update,
        resume: flags.resume !== undefined,
        nameOf,
      });
    } finally {
      progress.stop();
    }
    report(summary, flags.data, json, terminal);
  },
});

/**
 * Starts the backend, which the run records, so that a resume keeps it unless another is named; and says where the run
 * goes.
 */
async function startFor(
  config: TrainConfig,
  flags: FlagValues<typeof TRAIN_FLAGS>,
  terminal: Terminal,
): Promise<{ readonly resolved: TrainConfig; readonly out: string }> {
  const { resume, out } = flags;
  if (resume) {
    await startFromFlags(flags, terminal, flags.backend ?? config.backend);
    return { resolved: config, out: resume };
  }
  const earlier = resume !== undefined && out ? await readRunConfig(out) : null;
  const choice = config.backend === 'auto' && earlier !== null ? earlier.backend : config.backend;
  const backend = await startFromFlags(flags, terminal, choice);
  if (choice === 'auto') terminal.note(`--backend auto takes ${backend.name} (${backend.detail})`);
  const resolved: TrainConfig = { ...config, backend: backend.name };
  return { resolved, out: out || join('runs', runName(resolved)) };
}

type TrainFlags = FlagValues<typeof TRAIN_FLAGS>;

/** The configuration that flags and files say, or that of the run to resume. */
async function configOf(given: TrainFlags & Readonly<Record<string, unknown>>): Promise<{
  readonly config: TrainConfig;
  readonly files: TaskFiles;
  readonly nameOf: NameOf;
  /** The command's own flags, those in the configuration file included. */
  readonly flags: TrainFlags;
}> {
  if (!given.resume) {
    const { settings: file, flags } = await withConfigFile(given, TRAIN_FLAGS);
    const { files, content, defaults } = await openFiles(flags);
    const settings = { ...settingsOf(given), ...content };
    const nameOf = namesFor({ path: given.config, says: file }, settings);
    const config = readConfig({ ...defaults, ...file, ...settings }, { nameOf });
    await checkFolders(flags, { ...file, ...settings }, config.dataset);
    return { config, files, nameOf, flags };
  }
  const settings = settingsOf(given);
  const { files } = await openFiles(given);
  const ofTraining = settingsAffecting('training');
  const beside = Object.fromEntries(Object.entries(settings).filter(([name]) => !ofTraining.includes(name as Setting)));
  const changed = Object.keys(settings).filter((name) => name !== 'backend' && !(name in beside));
  const extra = [...changed, ...(['config', 'out'] as const).filter((name) => given[name] !== undefined)];
  if (extra.length > 0) {
    throw new UsageError(
      `A resumed run keeps its configuration and its folder, so --resume takes no settings, got ${extra.map(flagOf).join(', ')} with --resume ${given.resume}. Leave ${extra.length === 1 ? 'it' : 'them'} out.`,
    );
  }
  const config = await readRunConfig(given.resume);
  if (config === null) {
    throw new UsageError(`--resume takes the folder of a run; ${given.resume} has no config.json. Check the path.`);
  }
  return { config: readConfig({ ...config, ...beside }, { nameOf: flagOf }), files, nameOf: flagOf, flags: given };
}

/** Says what the run is, and ends in its configuration's hash, so that other settings never share its folder. */
function runName(config: TrainConfig): string {
  const sparse = config.method === 'dense' ? 'dense' : `${config.method}-${config.sparsity}`;
  const { dataset, model, optimizer, objective, seed } = config;
  return [dataset, model, sparse, objective, optimizer, `seed${seed}`, configHash(config).slice(0, 8)].join('-');
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function report(summary: RunSummary, data: string | undefined, json: boolean, terminal: Terminal): void {
  if (json) terminal.print(JSON.stringify(summary, null, 2));
  const { status, out, epoch, step, last, best } = summary;
  const onData = data === undefined ? [] : ['--data', pathWord(data)];
  if (status === 'interrupted') {
    terminal.note(
      `Saved after ${counted(epoch, 'epoch')}, at step ${step}. Go on with:\n  ${shellCommand('equipoise', 'train', '--resume', pathWord(out), ...onData)}`,
    );
    return;
  }
  if (json) return;
  terminal.print(
    [
      `trained ${counted(epoch, 'epoch')}, ${counted(step, 'step')}`,
      ...(last === null || last.validation_clean_accuracy === null
        ? []
        : [
            `last: ${percent(last.validation_clean_accuracy)} clean, ${percent(last.validation_robust_accuracy ?? 0)} robust on held-out images`,
          ]),
      ...(best === null
        ? []
        : [
            best.score === null
              ? 'no images held out: best is the last epoch'
              : `best: epoch ${best.epoch}${best.weights === 'averaged' ? ', averaged weights' : ''}, ${percent(best.score)} ${best.measure === 'validation_clean_accuracy' ? 'clean' : 'robust'} on held-out images`,
          ]),
      `next: ${shellCommand('equipoise', 'evaluate', pathWord(out), ...onData)}`,
    ].join('\n'),
  );
}
