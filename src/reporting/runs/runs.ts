// Reads what a report needs of a run: its configuration, metrics and evaluations, and how far its training has got.

import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { hasCheckpoint, type ReadCheckpoint, readCheckpoint } from '../../checkpoints/checkpoint.ts';
import { recordsEnd } from '../../checkpoints/completion.ts';
import { InputError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { inWords, isBelowFile, isMissing, isSystemError, reading } from '../../core/system-errors.ts';
import { type Certification, certificatesBeside, readCertifications } from '../../evaluation/certify/record.ts';
import {
  type CorruptionEvaluation,
  corruptionsBeside,
  readCorruptionEvaluations,
} from '../../evaluation/corruptions/record.ts';
import { readEvaluations } from '../../evaluation/results/results-file.ts';
import type { Evaluation } from '../../evaluation/types.ts';
import { foldersIn } from '../../files/folders.ts';
import { type LockHolder, lockHolder } from '../../files/lock.ts';
import { readText } from '../../files/regular-file.ts';
import { CONFIG_VERSION, isSameTraining, readConfig, type TrainConfig } from '../../training/config/config.ts';
import { measureOf, scoreOf } from '../../training/run/best-epoch.ts';
import { type MetricRow, parseMetrics } from '../../training/run/metrics.ts';
import { mixedRun, runFolder } from '../../training/run/run-folder.ts';
import type { CostedRun } from '../tables/epochs-to-accuracy.ts';
import { presentWeights } from './present-weights.ts';
import { parseHistory, type RunHistory } from './run-history.ts';

/** A run's folder as a report reads it. */
export interface RunRecord {
  /** The folder's name. */
  readonly name: string;
  readonly folder: string;
  readonly config: TrainConfig;
  /** What the checkpoint `last` says; null if there is none that is whole. */
  readonly last: LastCheckpoint | null;
  /** One row an epoch. */
  readonly metrics: readonly MetricRow[];
  /** Of the weights that the checkpoints hold now; empty if nothing was evaluated yet. */
  readonly evaluations: readonly Evaluation[];
  /** Certificates of smoothed classifiers; empty if nothing was certified. */
  readonly certifications: readonly Certification[];
  /** Accuracies on corrupted images; empty if there are none. */
  readonly corruptions: readonly CorruptionEvaluation[];
  /** Names of checkpoints that hold other weights than results in the folder are of; these results are left out. */
  readonly outdated: readonly string[];
  readonly history: RunHistory;
  /** The process that writes into the folder now; null if there is none. */
  readonly writer: LockHolder | null;
}

export interface LastCheckpoint {
  /** Epochs completed. */
  readonly epoch: number;
  /** Hash of the files of the data set that the run is trained on; null if it is not recorded. */
  readonly datasetSha256: string | null;
}

/** True if a run is complete, by the rule for all commands. A run without a whole checkpoint `last` is not. */
export const isComplete = ({
  config,
  last,
}: { readonly config: Pick<TrainConfig, 'epochs'> } & Pick<RunRecord, 'last'>): boolean =>
  last !== null && recordsEnd(last.epoch, config.epochs);

/** How far the training of a run is, such as `epoch 12 of 100, running` or `stopped after 11 of 100 epochs`. */
export function trainingState({
  config: { epochs },
  last,
  writer,
}: Pick<RunRecord, 'config' | 'last' | 'writer'>): string {
  const done = last?.epoch ?? 0;
  if (isComplete({ config: { epochs }, last })) return writer === null ? 'complete' : 'being evaluated';
  if (writer === null) return `stopped after ${done} of ${epochs} epochs`;
  return `epoch ${done + 1} of ${epochs}, ${writer.lives ? 'running' : `locked by ${writer.name}`}`;
}

/** Why results of a checkpoint are left out. */
export const describeOutdated = (checkpoint: string): string =>
  `its results of ${checkpoint} are of other weights than that checkpoint holds now; evaluate it again`;

/** Called with a warning for people. */
type Warn = (message: string) => void;

/** A run that is not part of a report, and the reason. */
export interface LeftOut {
  readonly run: string;
  readonly reason: string;
}

/** The runs of a folder, and what else is in it that is or holds runs and was not read. */
export interface FoundRuns {
  readonly runs: readonly RunRecord[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * The names of the folders in one that should hold runs.
 *
 * @throws InputError if there is no such folder, or if it cannot be read
 */
export const foldersOfRuns = (folder: string): Promise<string[]> =>
  foldersIn(folder).catch((error) => {
    if (!isMissing(error) && !isBelowFile(error)) throw inWords(folder, 'read', error);
    const message = `There is no folder ${folder}. Give a run's folder, or the one that holds a sweep's runs.`;
    throw new InputError(message, { cause: error });
  });

/**
 * The run in a folder, or else every run in the folders directly below it, by name.
 *
 * @param warn called with what had to be passed over, such as a damaged checkpoint
 * @param read how a run's folder is read
 * @throws InputError if there is none, or if a file of one is damaged
 */
export async function findRuns(folder: string, warn?: Warn, read: ReadRun = readRun): Promise<FoundRuns> {
  if (await isRun(folder)) return { runs: [await read(folder, warn)], leftOut: [] };
  const names = await foldersOfRuns(folder);
  const runs: RunRecord[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (!(await isRun(path))) {
      const reason = (await hasLast(path)) ? NO_CONFIG : (await holdsRuns(path)) ? OF_RUNS : null;
      if (reason !== null) leftOut.push({ run: name, reason });
      continue;
    }
    const version = await otherVersion(path);
    if (version === null) runs.push(await read(path, warn));
    else leftOut.push({ run: name, reason: `its config.json is of version ${version}, expected ${CONFIG_VERSION}` });
  }
  if (runs.length === 0 && leftOut.length === 0) {
    throw new InputError(
      `${folder} holds no run: neither it nor a folder in it has a config.json. Give a run's folder, or the one that holds a sweep's runs.`,
    );
  }
  if (runs.length === 0) {
    const [{ run, reason }] = leftOut;
    throw new InputError(`${folder} holds no run that can be read here. Of ${run}: ${reason}.`);
  }
  return { runs, leftOut };
}

/**
 * The runs that `findRuns` finds.
 *
 * @throws InputError if there is none, or if one cannot be read
 */
export async function readRuns(folder: string): Promise<readonly RunRecord[]> {
  const { runs, leftOut } = await findRuns(folder);
  if (leftOut.length > 0) {
    throw new InputError(`${join(folder, leftOut[0].run)} cannot be read: ${leftOut[0].reason}. Move it elsewhere.`);
  }
  return runs;
}

/** Why a folder with checkpoints is not read as a run. */
export const NO_CONFIG = 'it has checkpoints and no config.json, as half a copy of a run may';

/** Why a folder that holds runs, such as that of a sweep, is not read with those beside it. */
const OF_RUNS = 'it is a folder of runs; give that folder, or move its runs here';

/** True if a run lies in a folder directly below this one. */
async function holdsRuns(folder: string): Promise<boolean> {
  for (const name of await reading(folder, () => foldersIn(folder))) {
    if (await isRun(join(folder, name))) return true;
  }
  return false;
}

/** True if a folder has the last checkpoint of a run. Without a configuration it is half a run. */
export const hasLast = (folder: string): Promise<boolean> => hasCheckpoint(runFolder(folder).last);

/** True if a folder has the configuration of a run. */
export const isRun = async (folder: string): Promise<boolean> => (await readIfFile(runFolder(folder).config)) !== null;

const NO_FILE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);

/** The text of a file; null if there is none, or a folder of that name. */
const readIfFile = (path: string): Promise<string | null> =>
  reading(path, () =>
    readText(path).catch((error) => (isSystemError(error) && NO_FILE.has(error.code) ? null : Promise.reject(error))),
  );

const versionSchema = z.looseObject({ version: z.number() });

/** The version of a run's record of settings, if it is another one than this version's. */
async function otherVersion(folder: string): Promise<number | null> {
  let config: unknown;
  try {
    config = jsonValue((await readIfFile(runFolder(folder).config)) ?? 'null');
  } catch {
    return null;
  }
  const parsed = versionSchema.safeParse(config);
  return parsed.success && parsed.data.version !== CONFIG_VERSION ? parsed.data.version : null;
}

/** Reads a run's folder. */
export type ReadRun = (folder: string, warn?: Warn) => Promise<RunRecord>;

export async function readRun(folder: string, warn?: Warn): Promise<RunRecord> {
  const { config: path, last: lastPath, metrics, evaluation } = runFolder(folder);
  let config: TrainConfig;
  try {
    config = readConfig(jsonValue((await readIfFile(path)) ?? 'null'));
  } catch (error) {
    throw new InputError(`${path} is no configuration of a run: ${(error as Error).message}`, { cause: error });
  }
  const read = await readLast(lastPath, config, warn);
  const last = read && lastOf(read);
  const evaluations = await readEvaluations(evaluation);
  const certifications = await readCertifications(certificatesBeside(evaluation));
  const corruptions = await readCorruptionEvaluations(corruptionsBeside(evaluation));
  const { isPresent, outdated } = await presentWeights(
    folder,
    [...evaluations, ...certifications, ...corruptions],
    read,
  );
  const rows = parseMetrics((await readIfFile(metrics)) ?? '', metrics);
  if (isComplete({ config, last }) && rows.length < config.epochs) {
    warn?.(
      `${metrics} has the rows of ${rows.length} of ${config.epochs} epochs; charts, costs and epochs to accuracy lack the others.`,
    );
  }
  return {
    name: basename(resolve(folder)),
    folder,
    config,
    last,
    // Training repeats what follows the last checkpoint.
    metrics: last === null ? rows : rows.slice(0, last.epoch),
    evaluations: evaluations.filter(isPresent),
    certifications: certifications.filter(isPresent),
    corruptions: corruptions.filter(isPresent),
    outdated,
    ...(await readActivity(folder)),
  };
}

/** The progress of a run by the files of its folder, which change while it is trained. */
export async function readActivity(folder: string): Promise<Pick<RunRecord, 'history' | 'writer'>> {
  const { events, lock } = runFolder(folder);
  return { history: parseHistory((await readIfFile(events)) ?? ''), writer: await lockHolder(lock) };
}

const progressSchema = z.looseObject({ datasetSha256: z.string() });

/**
 * The checkpoint `last` of a run; null if there is none that is whole.
 *
 * @throws InputError if it is of other training than the configuration, so that the folder mixes the files of two runs
 */
async function readLast(path: string, config: TrainConfig, warn?: Warn): Promise<ReadCheckpoint | null> {
  if (!(await hasCheckpoint(path))) return null;
  let read: ReadCheckpoint;
  try {
    read = await readCheckpoint(path);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    warn?.(error.message);
    return null;
  }
  for (const warning of read.warnings) warn?.(warning);
  if (!isSameTraining(read.stored.config, config)) throw new InputError(mixedRun(path));
  return read;
}

function lastOf({ stored: { epoch, progress } }: ReadCheckpoint): LastCheckpoint {
  const parsed = progressSchema.safeParse(progress);
  return { epoch, datasetSha256: parsed.success ? parsed.data.datasetSha256 : null };
}

/** Marks the name of a data set whose files are not the official ones. */
export const UNOFFICIAL = ' (unofficial)';

/** How a data set is called where people read it: its name, marked if its files are not the official ones. */
export const datasetTitle = ({ name, official }: Evaluation['dataset']): string => name + (official ? '' : UNOFFICIAL);

/** The run as the comparison of epochs to accuracy needs it. */
export const costedRun = ({ name, config, last, metrics }: RunRecord): CostedRun => ({
  run: name,
  dataset: config.dataset,
  datasetSha256: last?.datasetSha256 ?? null,
  norm: config.norm,
  epsilon: config.epsilon,
  measure: measureOf(config),
  model: config.model,
  width: config.width,
  method: config.method,
  distribution: config.distribution ?? '',
  optimizer: config.optimizer,
  agentPrepass: config.agentPrepass ?? '',
  objective: config.objective,
  sparsity: config.sparsity,
  seed: config.seed,
  epochs: metrics.map((row) => ({
    epoch: row.epoch ?? 0,
    score: scoreOf(config, row),
    forwardPasses: row.forward_passes ?? 0,
    inputGradients: row.input_gradients ?? 0,
    weightGradients: row.weight_gradients ?? 0,
    seconds: row.seconds ?? 0,
  })),
});
