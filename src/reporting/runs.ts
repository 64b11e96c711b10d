import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { InputError } from '../core/errors.ts';
import { readEvaluations } from '../evaluation/record.ts';
import type { AttackResult, Evaluation } from '../evaluation/types.ts';
import { readConfig, type TrainConfig } from '../training/config.ts';
import { METRIC_COLUMNS, type MetricRow } from '../training/metrics.ts';
import { numberOf, parseCsv } from './csv.ts';
import type { CostedRun } from './epochs-to-accuracy.ts';
import type { ResultRow } from './results.ts';

/** A run's folder as a report reads it. */
export interface RunRecord {
  /** The folder's name. */
  readonly name: string;
  readonly folder: string;
  readonly config: TrainConfig;
  /** One row an epoch. */
  readonly metrics: readonly MetricRow[];
  /** Empty where nothing was evaluated yet. */
  readonly evaluations: readonly Evaluation[];
}

/**
 * The run in a folder, or else every run in the folders directly below it, by name.
 *
 * @throws InputError if there is none, or if one cannot be read
 */
export async function readRuns(folder: string): Promise<RunRecord[]> {
  if (await isRun(folder)) return [await readRun(folder)];
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new InputError(`There is no folder ${folder}. Give a run's folder, or the one that holds a sweep's runs.`);
  });
  const names = entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).sort();
  const runs: RunRecord[] = [];
  for (const name of names) if (await isRun(join(folder, name))) runs.push(await readRun(join(folder, name)));
  if (runs.length === 0) {
    throw new InputError(
      `${folder} holds no run: neither it nor a folder in it has a config.json. Give a run's folder, or the one that holds a sweep's runs.`,
    );
  }
  return runs;
}

const isRun = async (folder: string): Promise<boolean> => (await readIfThere(join(folder, 'config.json'))) !== null;

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

async function readRun(folder: string): Promise<RunRecord> {
  const path = join(folder, 'config.json');
  let config: TrainConfig;
  try {
    config = readConfig(JSON.parse((await readIfThere(path)) ?? 'null'));
  } catch (error) {
    throw new InputError(`${path} is no configuration of a run: ${(error as Error).message}`);
  }
  const metrics = await parseCsv((await readIfThere(join(folder, 'metrics.csv'))) ?? '');
  return {
    name: basename(resolve(folder)),
    folder,
    config,
    metrics: metrics.map(
      (row) => Object.fromEntries(METRIC_COLUMNS.map((column) => [column, numberOf(row[column])])) as MetricRow,
    ),
    evaluations: await readEvaluations(join(folder, 'evaluation.json')),
  };
}

/** How a data set is called where people read it: its name, marked where its files are not the official ones. */
export const datasetTitle = ({ name, official }: Evaluation['dataset']): string =>
  official ? name : `${name} (unofficial)`;

/** The rows of results.csv of one run: one for each evaluated checkpoint, radius and attack. */
export const resultRows = (run: RunRecord): ResultRow[] =>
  run.evaluations.flatMap((evaluation) => evaluation.attacks.map((attack) => resultRow(run, evaluation, attack)));

function resultRow({ name, config, metrics }: RunRecord, evaluation: Evaluation, result: AttackResult): ResultRow {
  const { target, dataset, clean } = evaluation;
  const cost = metrics.find(({ epoch }) => epoch === target.epoch);
  return {
    run: name,
    dataset: datasetTitle(dataset),
    dataset_sha256: dataset.sha256,
    split: evaluation.split,
    model: config.model,
    width: config.width,
    method: config.method,
    distribution: config.distribution ?? '',
    optimizer: config.optimizer,
    agent_prepass: config.agentPrepass ?? '',
    gamma: config.agentGamma ?? null,
    alpha: config.agentAlpha ?? null,
    objective: config.objective,
    sparsity: config.sparsity,
    sparsity_actual: target.sparsity,
    nonzeros: target.nonzeros,
    seed: config.seed,
    epoch: target.epoch,
    checkpoint: target.checkpoint,
    attack: result.attack,
    norm: result.norm,
    epsilon: result.epsilon,
    steps: result.steps,
    step_size: result.stepSize,
    restarts: result.restarts,
    attack_seed: evaluation.seed,
    n: clean.n,
    clean_accuracy: clean.value,
    clean_low: clean.low,
    clean_high: clean.high,
    robust_accuracy: result.robust.value,
    robust_low: result.robust.low,
    robust_high: result.robust.high,
    forward_passes: cost?.forward_passes ?? null,
    input_gradients: cost?.input_gradients ?? null,
    weight_gradients: cost?.weight_gradients ?? null,
    train_seconds: cost?.seconds ?? null,
    flops: target.flops,
    bytes: target.bytes,
    version: evaluation.version,
  };
}

/** The run as the comparison of epochs to accuracy needs it. */
export const costedRun = ({ name, config, metrics }: RunRecord): CostedRun => ({
  run: name,
  dataset: config.dataset,
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
    robustValidation: row.validation_robust_accuracy,
    forwardPasses: row.forward_passes ?? 0,
    inputGradients: row.input_gradients ?? 0,
    weightGradients: row.weight_gradients ?? 0,
    seconds: row.seconds ?? 0,
  })),
});
