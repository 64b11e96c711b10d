// Runs as a list tells them: what each was trained with, how far it is, and what it reached; and two of them compared.
import { join, relative } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { robustToQuote } from '../../evaluation/robust-to-quote.ts';
import type { AcrossNorms, AttackResult } from '../../evaluation/types.ts';
import { foldersIn } from '../../files/folders.ts';
import { type Setting, settingRows, type TrainConfig } from '../../training/config/config.ts';
import { scoreOf } from '../../training/run/best-epoch.ts';
import { ALL_NORMS, threatsName } from '../tables/result-rows.ts';
import { findRuns, hasLast, isComplete, isRun, NO_CONFIG, type RunRecord, trainingState } from './runs.ts';

/** The accuracies of a run in a list, as fractions; null for what was not measured. */
export interface QuotedAccuracies {
  readonly clean: number | null;
  readonly robust: number | null;
  /** What the robust one was measured under. */
  readonly under: string | null;
}

/** A run in a list. */
export interface ListedRun {
  /** Its folder as seen from the listed one. */
  readonly name: string;
  readonly folder: string;
  readonly config: TrainConfig;
  readonly isComplete: boolean;
  /** How far its training is, in words. */
  readonly state: string;
  /** Epochs that are done. */
  readonly epoch: number;
  /** Names of checkpoints whose results are left out, since they are of other weights. */
  readonly outdated: readonly string[];
  /** What a list shows of its results. */
  readonly quoted: QuotedAccuracies;
  /** Accuracies and others by name, as fractions or numbers. */
  readonly results: Readonly<Record<string, number>>;
}

/** Runs, and the reason for each that cannot be read. */
export interface RunList {
  readonly runs: readonly ListedRun[];
  readonly unread: readonly { readonly run: string; readonly reason: string }[];
}

/** A list looks into folders so deep: a run may be in the folder of a sweep. */
const DEPTH = 2;

/**
 * The run in a folder, or all runs in folders below it.
 *
 * @throws InputError if the folder cannot be read
 */
export async function listRuns(folder: string): Promise<RunList> {
  const runs: ListedRun[] = [];
  const unread: { run: string; reason: string }[] = [];
  for (const path of await runFolders(folder, DEPTH)) {
    const name = relative(folder, path) || folder;
    if (!(await isRun(path))) {
      unread.push({ run: name, reason: `${NO_CONFIG}.` });
      continue;
    }
    try {
      const found = await findRuns(path);
      runs.push(...found.runs.map((run) => listed(name, run)));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      unread.push({ run: name, reason: error.message });
    }
  }
  return { runs, unread };
}

async function runFolders(folder: string, depth: number): Promise<string[]> {
  if ((await isRun(folder)) || (await hasLast(folder))) return [folder];
  if (depth === 0) return [];
  const names = await foldersIn(folder).catch((error) => {
    const message = `${folder} cannot be listed (${error.code}). Give a run's folder, or one that holds runs.`;
    throw new InputError(message, { cause: error });
  });
  const found: string[] = [];
  for (const name of names) found.push(...(await runFolders(join(folder, name), depth - 1)));
  return found;
}

function listed(name: string, run: RunRecord): ListedRun {
  const { folder, config, last, outdated } = run;
  return {
    name,
    folder,
    config,
    isComplete: isComplete(run),
    state: trainingState(run),
    epoch: last?.epoch ?? 0,
    outdated,
    quoted: quotedOf(run),
    results: resultsOf(run),
  };
}

/** The accuracies of a run's best checkpoint, or of its last one where that was not evaluated. */
function quotedOf({ config, evaluations }: RunRecord): QuotedAccuracies {
  const shown =
    ['best', 'last']
      .map((name) => evaluations.filter(({ target }) => target.checkpoint === name))
      .find(({ length }) => length > 0) ?? [];
  const robust = robustToQuote(shown, config);
  return {
    clean: shown.at(-1)?.clean.value ?? null,
    robust: robust?.robust.value ?? null,
    under: robust === undefined ? null : measureName(robust),
  };
}

/** What an accuracy was measured under, in words, such as `union linf 8/255`. */
const measureName = (measured: AcrossNorms | AttackResult): string =>
  'threats' in measured
    ? `${ALL_NORMS} ${threatsName(measured)}`
    : `${measured.attack} ${measured.norm} ${formatEpsilon(measured.epsilon)}`;

/** What a run reached: the best score on held-out images, and every accuracy of its evaluations. */
function resultsOf({ config, metrics, evaluations }: RunRecord): Readonly<Record<string, number>> {
  const scores = metrics.flatMap((row) => scoreOf(config, row) ?? []);
  const results: Record<string, number> = {};
  const note = (name: string, value: number | null | undefined) => {
    if (value !== null && value !== undefined) results[name] = value;
  };
  note('best validation accuracy', scores.length === 0 ? null : Math.max(...scores));
  note('training loss', metrics.at(-1)?.train_loss);
  note('seconds', metrics.at(-1)?.seconds);
  for (const { target, clean, attacks, acrossNorms = [] } of evaluations) {
    note(`${target.checkpoint} clean`, clean.value);
    for (const measured of [...acrossNorms, ...attacks]) {
      note(`${target.checkpoint} ${measureName(measured)}`, measured.robust.value);
    }
  }
  return results;
}

/** All settings but the version, those that most people change first. */
const NAMES = settingRows
  .toSorted(([, a], [, b]) => Number(b.group === 'Common') - Number(a.group === 'Common'))
  .map(([name]) => name)
  .filter((name) => name !== 'version');

/** A setting as text; '' where a run does not have it. */
export const settingText = (config: TrainConfig, name: Setting): string => {
  const value = config[name];
  if (value === undefined) return '';
  if (typeof value === 'number' && (name === 'epsilon' || name === 'stepSize')) return formatEpsilon(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

/** The settings in which runs differ, those of the group Common first. */
export const differingSettings = (runs: readonly Pick<ListedRun, 'config'>[]): readonly Setting[] =>
  NAMES.filter((name) => new Set(runs.map(({ config }) => JSON.stringify(config[name]))).size > 1);

/** Names and the values of two runs. */
export type Difference = readonly [name: string, a: string, b: string];

/** What two runs differ in. */
export interface RunComparison {
  readonly settings: readonly Difference[];
  readonly results: readonly Difference[];
}

/** The settings and the results in which two runs differ; '' for a value that a run does not have. */
export function compareRuns(a: ListedRun, b: ListedRun): RunComparison {
  const names = [...new Set([...Object.keys(a.results), ...Object.keys(b.results)])];
  const differing = names.filter((name) => a.results[name] !== b.results[name]);
  return {
    settings: differingSettings([a, b]).map((name) => [name, settingText(a.config, name), settingText(b.config, name)]),
    results: [
      ...(a.epoch === b.epoch ? [] : [['epochs done', String(a.epoch), String(b.epoch)] as const]),
      ...differing.map((name): Difference => [name, resultText(a, name), resultText(b, name)]),
    ],
  };
}

/** Results that are no accuracy. */
const NUMBERS: readonly string[] = ['training loss', 'seconds'];

function resultText({ results }: ListedRun, name: string): string {
  const value = results[name];
  if (value === undefined) return '';
  return NUMBERS.includes(name) ? String(Number(value.toPrecision(4))) : `${Number((100 * value).toFixed(1))} %`;
}
