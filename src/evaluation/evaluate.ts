import type { NormName } from '../../attacks/types.ts';
import { InputError } from '../core/errors.ts';
import { checkTestSplit, type Dataset, loadDataset } from '../data/index.ts';
import { backendName } from '../ops/backend-name.ts';
import { type AttackSpec, PROTOCOLS } from './attacks.ts';
import { type EvaluationProgress, measure } from './measure.ts';
import { recordEvaluation } from './record.ts';
import { checkpointFiles, loadTarget, recordPath, type Target } from './target.ts';
import { CLAIM, type Evaluation } from './types.ts';
import { version } from './version.ts';

export interface EvaluateOptions {
  /** Default: the protocol `quick`. */
  readonly attacks?: readonly AttackSpec[];
  /** Default: that of the model's training. */
  readonly norm?: NormName;
  /** Radii in pixel units of [0, 1]; default: that of the model's training. */
  readonly epsilons?: readonly number[];
  /** The data set to test on, loaded or by name; default: that of the model's training. */
  readonly dataset?: Dataset | string;
  /** Where data sets lie. */
  readonly dataDirectory?: string;
  /** Use only so many test images, balanced over the classes; default: what the model's training says, else all. */
  readonly testLimit?: number;
  /** Names every random number of the attacks; default 0. */
  readonly seed?: number;
  readonly batchSize?: number;
  /** File that the result is added to; default: evaluation.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  readonly onProgress?: (progress: EvaluationProgress & { readonly checkpoint: string }) => void;
  /** Told what is odd but no reason to stop. */
  readonly warn?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Clean and robust accuracy of a checkpoint, or of those that a run's folder keeps, on the test split of a data set.
 * Every accuracy comes with its number of images and Wilson's 95 % interval; the robust ones are upper bounds under the
 * attacks that were run. Results are added to the run's evaluation.json.
 *
 * The same checkpoint, data, options and seed give the same result.
 *
 * @param path of a checkpoint or of a run's folder
 * @returns one evaluation a checkpoint
 * @throws InputError if there is no such checkpoint, it is damaged, its images are of another shape, or it was trained
 * on the images to test on
 */
export async function evaluate(path: string, options: EvaluateOptions = {}): Promise<Evaluation[]> {
  const done = new Map<number, Evaluation>();
  const evaluations: Evaluation[] = [];
  let loaded: Dataset | undefined;
  for (const file of await checkpointFiles(path)) {
    const target = await loadTarget(file);
    try {
      for (const warning of target.warnings) options.warn?.(warning);
      loaded ??= await testData(target, options);
      warnOfOtherFiles(file, target, loaded, options.warn);
      const { record } = target;
      // The last epoch is often the best one: equal weights are evaluated once.
      const same = record.step === null ? undefined : done.get(record.step);
      const evaluation = same ? { ...same, target: record } : await evaluateTarget(target, loaded, options);
      if (record.step !== null) done.set(record.step, evaluation);
      evaluations.push(evaluation);
      const out = options.out ?? recordPath(file);
      if (out) await recordEvaluation(out, evaluation);
    } finally {
      target.dispose();
    }
  }
  return evaluations;
}

/** The data set asked for, else that of the model's training; refused where the model was trained on its test images. */
export async function testData(
  target: Target,
  { dataset, dataDirectory }: Pick<EvaluateOptions, 'dataset' | 'dataDirectory'>,
): Promise<Dataset> {
  if (typeof dataset === 'object') return dataset;
  const name = dataset ?? target.trainedOn?.name ?? null;
  if (name === null)
    throw new InputError('This model does not say what it was trained on: name a data set to test on.');
  if (target.trainedOn !== null) checkTestSplit(target.trainedOn.name, name);
  return loadDataset(name, { directory: dataDirectory });
}

/** Tells where a model was trained on files of the same name but other content. */
export function warnOfOtherFiles(
  path: string,
  { trainedOn }: Target,
  { name, sha256 }: Dataset,
  warn?: (message: string) => void,
): void {
  if (trainedOn?.name === name && trainedOn.sha256 !== null && trainedOn.sha256 !== sha256) {
    warn?.(`${path} was trained on other files of ${name} than those it is evaluated on: their SHA-256 differ.`);
  }
}

/** Clean and robust accuracy of a loaded model. Writes nothing. */
export async function evaluateTarget(
  target: Target,
  dataset: Dataset,
  { attacks = PROTOCOLS.quick, seed = 0, batchSize, signal, onProgress, ...options }: EvaluateOptions,
): Promise<Evaluation> {
  if (target.trainedOn !== null) checkTestSplit(target.trainedOn.name, dataset.name);
  checkFit(target, dataset);
  const { norm, epsilons } = threatOf(target, options);
  const { checkpoint } = target.record;
  const measured = await measure(target.classify, dataset, {
    norm,
    epsilons,
    attacks,
    seed,
    batchSize,
    signal,
    limit: options.testLimit ?? target.testLimit ?? undefined,
    onProgress: onProgress && ((progress) => onProgress({ ...progress, checkpoint })),
  });
  const { name, sha256, official, classes } = dataset;
  return {
    claim: CLAIM,
    target: target.record,
    dataset: { name, sha256, official, classes },
    split: 'test',
    seed,
    ...measured,
    backend: backendName(),
    version: version(),
  };
}

/** @throws InputError for images of another shape, or another number of classes, than the model's */
export function checkFit({ inputShape, classes, record }: Target, dataset: Dataset): void {
  if (String(inputShape) !== String(dataset.imageShape) || classes !== dataset.classes.length) {
    throw new InputError(
      `The model of ${record.checkpoint} takes images [${inputShape.join(', ')}] of ${classes} classes; ${dataset.name} has images [${dataset.imageShape.join(', ')}] of ${dataset.classes.length} classes. Evaluate it on the data set it was trained on.`,
    );
  }
}

/** Radius and norm: those asked for, else those of the model's training; a radius belongs to its norm. */
export function threatOf(
  { threat }: Target,
  options: Pick<EvaluateOptions, 'norm' | 'epsilons'>,
): { norm: NormName; epsilons: readonly number[] } {
  const norm = options.norm ?? threat?.norm ?? 'linf';
  if (options.epsilons) return { norm, epsilons: options.epsilons };
  if (threat?.norm === norm) return { norm, epsilons: [threat.epsilon] };
  throw new InputError(`An evaluation in ${norm} needs an epsilon: the model was not trained against ${norm}.`);
}
