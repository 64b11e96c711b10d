// The command that shows what this machine can compute with.
import { stat } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { arch, version as nodeVersion, platform } from 'node:process';
import { type AutomaticChoice, type BackendReport, inspectBackends } from '../../backends/inspect.ts';
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import { isMissing } from '../../core/system-errors.ts';
import type { BackendChoice } from '../../ops/backend-names.ts';
import { SETTINGS } from '../../training/config/config.ts';
import { readRunConfig } from '../../training/run/run-folder.ts';
import { defineCommand } from '../command.ts';
import { readConfigFile } from '../flags/setting-flags.ts';

export const doctor = defineCommand({
  positionals: [
    {
      name: 'run',
      description: 'a run, or a file of settings, to show which backend its training takes',
      required: false,
      value: 'PATH',
    },
  ],
  flags: {},
  endsAtOnce: true,
  examples: [
    ['equipoise doctor', 'what starts here, what is missing, and what adds it'],
    ['equipoise doctor runs/NAME', 'and on which backend that run goes on'],
    ['equipoise doctor --json', 'the same for a program'],
  ],
  async run({ positionals: [path], json }, terminal) {
    const wish = path === undefined ? null : await wishOf(path);
    const machine = {
      node: nodeVersion,
      platform: `${platform} ${arch}`,
      cores: availableParallelism(),
      memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    };
    const { backends, automatic } = await inspectBackends();
    const run = wish && takenBy(wish, backends, automatic);
    if (json) {
      terminal.print(JSON.stringify({ ...machine, backends, automatic, ...(run && { run }) }, null, 2));
      return;
    }
    const width = Math.max(...backends.map(({ state }) => state.length));
    terminal.print(
      [
        `Node ${machine.node} on ${machine.platform}, ${machine.cores} cores, ${machine.memoryGiB} GiB of memory`,
        '',
        ...backends.flatMap(({ name, state, detail, install }) => [
          `${name.padEnd(11)} ${state.padEnd(width)}  ${detail}`,
          ...(install ? [`${' '.repeat(11)} ${' '.repeat(width)}  add it: ${install}`] : []),
        ]),
        '',
        `--backend auto takes ${automatic.name}: ${automatic.why}.`,
        ...(run ? [`${run.path} takes ${run.name}: ${run.why}.`] : []),
      ].join('\n'),
    );
  },
});

/** The backend that a run or a file of settings asks for. */
interface Wish {
  readonly path: string;
  readonly backend: BackendChoice;
  /** Why a choice other than `auto` is the one. */
  readonly why: string;
}

async function wishOf(path: string): Promise<Wish> {
  const kind = await stat(path).catch((error) => {
    if (!isMissing(error)) throw error;
    throw new UsageError(`doctor takes the folder of a run, or a file of settings; there is no ${path}.`, {
      cause: error,
    });
  });
  if (!kind.isDirectory()) {
    const { backend = 'auto' } = (await readConfigFile(path, { flags: {} })).settings;
    const { success, data } = SETTINGS.backend.schema.safeParse(backend);
    if (!success) {
      throw new UsageError(
        `backend (${path}) must be one of ${SETTINGS.backend.schema.options.join(', ')}, got ${backend}.${suggestion(didYouMean(String(backend), SETTINGS.backend.schema.options))}`,
      );
    }
    return { path, backend: data, why: 'the file names it' };
  }
  const config = await readRunConfig(path);
  if (config === null) {
    throw new UsageError(`doctor takes the folder of a run, or a file of settings; ${path} has no config.json.`);
  }
  return { path, backend: config.backend, why: 'it was started there, and train --resume keeps it unless told' };
}

/** What training then takes, and whether that starts here. */
function takenBy({ path, backend, why }: Wish, backends: readonly BackendReport[], automatic: AutomaticChoice) {
  if (backend === 'auto') return { path, name: automatic.name, why: 'it leaves the choice to auto' };
  const state = backends.find(({ name }) => name === backend)?.state;
  return {
    path,
    name: backend,
    why: state === 'ready' ? why : `${why}; but it is ${state} here, so it would not start`,
  };
}
