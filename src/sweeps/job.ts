import { readFile } from 'node:fs/promises';
import { hasCheckpoint } from '../checkpoints/checkpoint.ts';
import { attackLabel, PROTOCOLS } from '../evaluation/attacks.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { EvaluationProgress } from '../evaluation/measure.ts';
import type { EvaluateOptions } from '../evaluation/options.ts';
import { readEvaluations } from '../evaluation/record.ts';
import { checkpointFiles, checkpointIdentity } from '../evaluation/target.ts';
import type { TrainConfig } from '../training/config.ts';
import { parseLastRow } from '../training/metrics.ts';
import { readRunConfig, runFolder } from '../training/run-folder.ts';
import type { TaskFiles } from '../training/task.ts';
import { train } from '../training/train.ts';
import type { TrainEvent } from '../training/types.ts';

/** How the runs of a sweep are evaluated. */
export type JobEvaluation = Pick<EvaluateOptions, 'attacks' | 'norm' | 'epsilons' | 'testLimit' | 'seed' | 'batchSize'>;

/** A job as plain data: what a process needs to make one run. */
export interface JobTask extends TaskFiles {
  readonly config: TrainConfig;
  /** The run's folder. */
  readonly out: string;
  /** As `TrainRunOptions`. */
  readonly cacheMemory?: number;
  /** Null: the run is trained only. */
  readonly evaluation: JobEvaluation | null;
}

/** What a job tells while it runs. */
export type JobEvent =
  | { readonly kind: 'train'; readonly event: TrainEvent }
  | { readonly kind: 'evaluate'; readonly progress: EvaluationProgress & { readonly checkpoint: string } };

export interface JobOptions {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent) => void;
}

/**
 * Makes a run: trains it, going on from its last checkpoint if there is one, and evaluates what it keeps. What is done
 * already is not done again.
 *
 * @returns `interrupted` if the signal stopped it; the same task then goes on from there
 */
export async function runJob(task: JobTask, { signal, onEvent }: JobOptions = {}): Promise<'done' | 'interrupted'> {
  const { config, out, evaluation, ...options } = task;
  if (!(await isTrained(out, config))) {
    const { status } = await train(config, {
      ...options,
      out,
      signal,
      resume: (await readRunConfig(out)) !== null,
      onProgress: (event) => onEvent?.({ kind: 'train', event }),
    });
    if (status === 'interrupted') return status;
  }
  if (evaluation === null || (await isEvaluated(out, config, evaluation))) return 'done';
  try {
    await evaluate(out, {
      ...evaluation,
      testLimit: evaluation.testLimit ?? config.testLimit,
      resume: 'if-same',
      dataDirectory: options.dataDirectory,
      signal,
      onProgress: (progress) => onEvent?.({ kind: 'evaluate', progress }),
    });
    return 'done';
  } catch (error) {
    if (signal?.aborted) return 'interrupted';
    throw error;
  }
}

/** Whether nothing of a task is left to do. */
export const isDone = async ({ config, out, evaluation }: JobTask): Promise<boolean> =>
  (await isTrained(out, config)) && (evaluation === null || (await isEvaluated(out, config, evaluation)));

async function isTrained(out: string, { epochs }: TrainConfig): Promise<boolean> {
  const { last, metrics } = runFolder(out);
  if (!(await hasCheckpoint(last))) return false;
  const row = parseLastRow(await readFile(metrics, 'utf8').catch(() => ''));
  return (row?.epoch ?? 0) >= epochs;
}

/** Whether every checkpoint that a run keeps has the results of these attacks, on as many images at least. */
async function isEvaluated(
  out: string,
  config: TrainConfig,
  { attacks = PROTOCOLS.quick, epsilons = [config.epsilon], norm = config.norm, seed = 0, testLimit }: JobEvaluation,
): Promise<boolean> {
  const evaluations = await readEvaluations(runFolder(out).evaluation);
  const least = testLimit ?? config.testLimit ?? 0;
  for (const file of await checkpointFiles(out)) {
    const { checkpoint, sha256 } = await checkpointIdentity(file);
    const results = evaluations
      .filter(
        ({ target, seed: used, clean }) =>
          target.checkpoint === checkpoint && target.sha256 === sha256 && used === seed && clean.n >= least,
      )
      .flatMap((evaluation) => evaluation.attacks);
    const missing = attacks.some((spec) =>
      epsilons.some(
        (radius) =>
          !results.some(
            ({ attack, epsilon, norm: used }) => attack === attackLabel(spec) && epsilon === radius && used === norm,
          ),
      ),
    );
    if (missing) return false;
  }
  return true;
}
