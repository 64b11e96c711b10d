// One run of a sweep: trained, evaluated, and whether both are done.
import { completionOf } from '../checkpoints/completion.ts';
import { readIfThere } from '../checkpoints/files/read-if-there.ts';
import { InputError } from '../core/errors.ts';
import { attackLabel } from '../evaluation/attacks/named-attacks.ts';
import { PROTOCOLS } from '../evaluation/attacks/protocols.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import type { EvaluationProgress, EvaluationStep } from '../evaluation/measure/types.ts';

import type { EvaluateOptions } from '../evaluation/options.ts';
import { readEvaluations } from '../evaluation/results/results-file.ts';
import { interruptedPath } from '../evaluation/results/resume-file.ts';
import { robustToQuote } from '../evaluation/robust-to-quote.ts';
import { threatsOf } from '../evaluation/settings.ts';
import { checkpointFiles, checkpointIdentity } from '../evaluation/targets/target.ts';
import { countsAcross, isAcrossNorms } from '../evaluation/threat.ts';
import type { Evaluation } from '../evaluation/types.ts';
import { clearLeftLock, type LockTimes } from '../files/lock.ts';
import { isSameTraining, type TrainConfig } from '../training/config/config.ts';
import { hasEndEvent, readRunConfig, runFolder } from '../training/run/run-folder.ts';
import type { TaskFiles } from '../training/task.ts';
import { train } from '../training/train.ts';
import type { TrainEvent } from '../training/types.ts';

/** How the runs of a sweep are evaluated. */
export type JobEvaluation = Pick<
  EvaluateOptions,
  'checkpoints' | 'attacks' | 'norm' | 'epsilons' | 'norms' | 'testLimit' | 'seed' | 'batchSize'
>;

/** A job as plain data: what a process needs to make one run. */
export interface JobTask extends TaskFiles {
  readonly config: TrainConfig;
  /** The run's folder. */
  readonly out: string;
  /** The option of `TrainRunOptions` with this name. */
  readonly cacheMemory?: number;
  /** The evaluation of the run; null if it is only trained. */
  readonly evaluation: JobEvaluation | null;
  readonly lockTimes?: LockTimes;
}

/** What a job tells while it runs. */
export type JobEvent =
  /** What is odd but no reason to stop, outside training. */
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'train'; readonly event: TrainEvent }
  | { readonly kind: 'evaluate'; readonly progress: EvaluationProgress & { readonly checkpoint: string } }
  /** After every step of an attack of the evaluation. */
  | { readonly kind: 'evaluate-step'; readonly step: EvaluationStep & { readonly checkpoint: string } }
  | { readonly kind: 'evaluated'; readonly results: readonly CheckpointResult[] };

/** What the evaluation of a checkpoint found, in two numbers. */
export interface CheckpointResult {
  readonly checkpoint: string;
  /** Accuracies as fractions; the robust one is that of `robustToQuote`. */
  readonly clean: number;
  readonly robust: number | null;
}

/** What an event warns of, a network that collapsed among them; null for other events. */
export function warningOf(event: JobEvent): string | null {
  if (event.kind === 'warning') return event.message;
  if (event.kind !== 'train') return null;
  const { event: told } = event;
  return told.kind === 'warning' || told.kind === 'wait' || told.kind === 'collapse' ? told.message : null;
}

export interface JobOptions {
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: JobEvent) => void;
}

/**
 * Makes a run: trains it, going on from its last checkpoint if there is one, and evaluates what it keeps. What is done
 * already is not done again.
 *
 * @returns `interrupted` if the signal stopped it; the same task then continues from there
 */
export async function runJob(task: JobTask, options: JobOptions = {}): Promise<'done' | 'interrupted'> {
  try {
    return await trainAndEvaluate(task, options);
  } catch (error) {
    // What the signal stopped ends with its reason; a disk that is full at the same time is a failure all the same.
    if (options.signal?.aborted && !(error instanceof InputError)) return 'interrupted';
    throw error;
  }
}

async function trainAndEvaluate(task: JobTask, { signal, onEvent }: JobOptions): Promise<'done' | 'interrupted'> {
  const { config, out, evaluation, lockTimes, ...options } = task;
  const warn = (message: string) => onEvent?.({ kind: 'warning', message });
  if (!(await isTrained(out, config))) {
    const { status } = await train(config, {
      ...options,
      out,
      signal,
      lockTimes,
      resume: (await readRunConfig(out)) !== null,
      onProgress: (event) => onEvent?.({ kind: 'train', event }),
    });
    if (status === 'interrupted') return status;
  }
  if (evaluation === null || (await isEvaluated(out, config, evaluation))) return 'done';
  const evaluations = await evaluate(out, {
    ...evaluation,
    // Named, so that no message advises a file elsewhere, which a sweep does not take.
    out: runFolder(out).evaluation,
    testLimit: evaluation.testLimit ?? config.testLimit,
    resume: 'if-same',
    dataDirectory: options.dataDirectory,
    lockTimes,
    signal,
    warn,
    onProgress: (progress) => onEvent?.({ kind: 'evaluate', progress }),
    onStep: (step) => onEvent?.({ kind: 'evaluate-step', step }),
  });
  onEvent?.({ kind: 'evaluated', results: evaluations.map((found) => resultOf(found, config)) });
  return 'done';
}

const resultOf = (evaluation: Evaluation, trained: TrainConfig): CheckpointResult => ({
  checkpoint: evaluation.target.checkpoint,
  clean: evaluation.clean.value,
  robust: robustToQuote([evaluation], trained)?.robust.value ?? null,
});

/**
 * True if a task is completely done. Results that cannot be read count as missing. A process that was killed between the last
 * result and its end leaves its lock, which is removed.
 */
export const isDone = async (
  { config, out, evaluation }: JobTask,
  warn?: (message: string) => void,
): Promise<boolean> => {
  try {
    if (!(await isTrained(out, config))) return false;
    if (evaluation !== null && !(await isEvaluated(out, config, evaluation, warn))) return false;
    await clearLeftLock(runFolder(out).lock);
    return true;
  } catch (error) {
    if (error instanceof InputError) return false;
    throw error;
  }
};

/** True if a run of this configuration is complete, and tells so. Training refuses the checkpoint of another one. */
async function isTrained(out: string, config: TrainConfig): Promise<boolean> {
  const folder = runFolder(out);
  const completion = await completionOf(folder.last);
  if (completion === null || !isSameTraining(completion.config, config)) return false;
  return completion.complete && (await hasEndEvent(folder));
}

/** True if every checkpoint that is to be evaluated has the results of these attacks, on as many images at least. */
async function isEvaluated(
  out: string,
  config: TrainConfig,
  { checkpoints, attacks = PROTOCOLS.quick, epsilons, norm, norms, seed = 0, testLimit }: JobEvaluation,
  warn?: (message: string) => void,
): Promise<boolean> {
  const evaluations = await readEvaluations(runFolder(out).evaluation);
  const least = testLimit ?? config.testLimit ?? 0;
  const threats = threatsOf({ threat: config }, { norm, epsilons, norms });
  for (const file of await checkpointFiles(out, checkpoints)) {
    const { checkpoint, sha256 } = await checkpointIdentity(file, warn);
    // Left by a process that was killed; the evaluation goes on, or removes it.
    if ((await readIfThere(interruptedPath(runFolder(out).evaluation, checkpoint))) !== null) return false;
    const ofCheckpoint = evaluations.filter(
      ({ target, seed: used, clean }) =>
        target.checkpoint === checkpoint && target.sha256 === sha256 && used === seed && clean.n >= least,
    );
    if (isAcrossNorms(threats) && !ofCheckpoint.some((evaluation) => countsAcross(evaluation, threats))) return false;
    const results = ofCheckpoint.flatMap((evaluation) => evaluation.attacks);
    const missing = attacks.some((spec) =>
      threats.some(
        (threat) =>
          !results.some(
            ({ attack, epsilon, norm: used }) =>
              attack === attackLabel(spec) && epsilon === threat.epsilon && used === threat.norm,
          ),
      ),
    );
    if (missing) return false;
  }
  return true;
}
