// What a report reads of a run: its configuration, metrics and evaluations, and how far its training came.

import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { z } from 'zod';
import { hasCheckpoint, readCheckpoint } from '../checkpoints/checkpoint.ts';
import { InputError } from '../core/errors.ts';
import { readEvaluations } from '../evaluation/record.ts';
import type { Evaluation } from '../evaluation/types.ts';
import { measureOf, scoreOf } from '../training/best-epoch.ts';
import { CONFIG_VERSION, readConfig, type TrainConfig } from '../training/config.ts';
import { type MetricRow, parseMetrics } from '../training/metrics.ts';
import { runFolder } from '../training/run-folder.ts';
import type { CostedRun } from './epochs-to-accuracy.ts';

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
  /** Empty if nothing was evaluated yet. */
  readonly evaluations: readonly Evaluation[];
}

export interface LastCheckpoint {
  /** Epochs completed. */
  readonly epoch: number;
  /** Of the files of the data set that the run is trained on; null if it is not recorded. */
  readonly datasetSha256: string | null;
}

/** True if training reached its last epoch: the checkpoint `last`, which is written after all else, records it. */
export const isComplete = ({ config, last }: Pick<RunRecord, 'config' | 'last'>): boolean =>
  last !== null && last.epoch >= config.epochs;

/** A run that is not part of a report, and the reason. */
export interface LeftOut {
  readonly run: string;
  readonly reason: string;
}

/** The runs of a folder, and those that cannot be read because another version of Equipoise made them. */
export interface FoundRuns {
  readonly runs: readonly RunRecord[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * The run in a folder, or else every run in the folders directly below it, by name.
 *
 * @throws InputError if there is none, or if a file of one is damaged
 */
export async function findRuns(folder: string): Promise<FoundRuns> {
  if (await isRun(folder)) return { runs: [await readRun(folder)], leftOut: [] };
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new InputError(`There is no folder ${folder}. Give a run's folder, or the one that holds a sweep's runs.`);
  });
  const names = entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
  const runs: RunRecord[] = [];
  const leftOut: LeftOut[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (!(await isRun(path))) continue;
    const version = await otherVersion(path);
    if (version === null) runs.push(await readRun(path));
    else leftOut.push({ run: name, reason: `its config.json is of version ${version}, expected ${CONFIG_VERSION}` });
  }
  if (runs.length === 0 && leftOut.length === 0) {
    throw new InputError(
      `${folder} holds no run: neither it nor a folder in it has a config.json. Give a run's folder, or the one that holds a sweep's runs.`,
    );
  }
  if (runs.length === 0) {
    const [{ run, reason }] = leftOut;
    throw new InputError(`${folder} holds no run that this version of Equipoise reads: of ${run}, ${reason}.`);
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

const isRun = async (folder: string): Promise<boolean> => (await readIfThere(runFolder(folder).config)) !== null;

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(code ?? '')) return null;
    throw new InputError(`${path} cannot be read: ${message}.`, { cause: error });
  }
}

const versionSchema = z.looseObject({ version: z.number() });

/** The version of a run's record of settings, if it is another one than this version's. */
async function otherVersion(folder: string): Promise<number | null> {
  let config: unknown;
  try {
    config = JSON.parse((await readIfThere(runFolder(folder).config)) ?? 'null');
  } catch {
    return null;
  }
  const parsed = versionSchema.safeParse(config);
  return parsed.success && parsed.data.version !== CONFIG_VERSION ? parsed.data.version : null;
}

async function readRun(folder: string): Promise<RunRecord> {
  const { config: path, last, metrics, evaluation } = runFolder(folder);
  let config: TrainConfig;
  try {
    config = readConfig(JSON.parse((await readIfThere(path)) ?? 'null'));
  } catch (error) {
    throw new InputError(`${path} is no configuration of a run: ${(error as Error).message}`, { cause: error });
  }
  return {
    name: basename(resolve(folder)),
    folder,
    config,
    last: await readLast(last),
    metrics: parseMetrics((await readIfThere(metrics)) ?? '', metrics),
    evaluations: await readEvaluations(evaluation),
  };
}

const progressSchema = z.looseObject({ datasetSha256: z.string() });

async function readLast(path: string): Promise<LastCheckpoint | null> {
  if (!(await hasCheckpoint(path))) return null;
  try {
    const { epoch, progress } = (await readCheckpoint(path)).stored;
    const parsed = progressSchema.safeParse(progress);
    return { epoch, datasetSha256: parsed.success ? parsed.data.datasetSha256 : null };
  } catch (error) {
    if (error instanceof InputError) return null;
    throw error;
  }
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
