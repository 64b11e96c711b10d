import type { NormName } from '../../attacks/types.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { batchImages, checkTestSplit, type Dataset, loadDataset } from '../data/index.ts';
import { backendName } from '../ops/backend-name.ts';
import { type AttackSpec, attackLabel, attackSettings, PROTOCOLS } from './attacks.ts';
import { interruptedPath, readInterrupted, removeInterrupted, writeInterrupted } from './interrupted.ts';
import type { Accuracy } from './intervals.ts';
import { type EvaluationProgress, type MeasureOptions, measure } from './measure.ts';
import { logitsOf } from './predict.ts';
import { checkPreprocessing, type Preprocessing } from './preprocessing.ts';
import { readEvaluations, recordEvaluation } from './record.ts';
import { exampleFolder, hasExamples } from './save-examples.ts';
import { describeSuggestion, suggestPreprocessing } from './suggestions.ts';
import { loadTarget, type ModelFile, type ModelSource, modelFiles, recordPath, type Target } from './target.ts';
import { CLAIM, type Evaluation } from './types.ts';
import { version } from './version.ts';

/** How a model is loaded and given images. */
export interface ModelOptions {
  /** The data set to test on, loaded or by name; default: that of the model's training. */
  readonly dataset?: Dataset | string;
  /** Where data sets lie. */
  readonly dataDirectory?: string;
  /** What is done to pixels before a model sees them; default: nothing, pixels in [0, 1]. */
  readonly preprocessing?: Preprocessing;
  /** File of other names for a model's weights. */
  readonly names?: string;
  /** Told what is odd but no reason to stop. */
  readonly warn?: (message: string) => void;
}

export interface EvaluateOptions extends ModelOptions {
  /** Default: the protocol `quick`. */
  readonly attacks?: readonly AttackSpec[];
  /** Default: that of the model's training. */
  readonly norm?: NormName;
  /** Radii in pixel units of [0, 1]; default: that of the model's training. */
  readonly epsilons?: readonly number[];
  /** Use only so many test images, balanced over the classes; default: what the model's training says, else all. */
  readonly testLimit?: number;
  /** Names every random number of the attacks; default 0. */
  readonly seed?: number;
  readonly batchSize?: number;
  /** The accuracy without attack that the model is known to have, as a fraction; another one stops the evaluation. */
  readonly expectClean?: number;
  /** File that the result is added to; default: evaluation.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  /** Goes on with an interrupted evaluation of the same settings, and takes what was done from the file of results. */
  readonly resume?: boolean;
  /** Folder to write the adversarial examples of every attack into. */
  readonly saveExamples?: string;
  readonly onProgress?: (progress: EvaluationProgress & { readonly checkpoint: string }) => void;
  readonly signal?: AbortSignal;
}

/**
 * Clean and robust accuracy of a model, or of those that a run's folder keeps, on the test split of a data set.
 * Every accuracy comes with its number of images and Wilson's 95 % interval; the robust ones are upper bounds under the
 * attacks that were run. Results are added to the run's evaluation.json.
 *
 * The same model, data, options and seed give the same result. While it runs, what is done is kept beside the file of
 * results, so that `resume` goes on from there.
 *
 * @param source path of a checkpoint, of a run's folder, or of another model (docs/foreign-models.md)
 * @returns one evaluation a checkpoint
 * @throws InputError if there is no such model, it is damaged, its images are of another shape, it was trained on the
 * images to test on, or its clean accuracy is not the expected one
 */
export async function evaluate(source: ModelSource, options: EvaluateOptions = {}): Promise<Evaluation[]> {
  checkExpectation(options);
  checkPreprocessing(options.preprocessing ?? {});
  const done = new Map<number, Evaluation>();
  const evaluations: Evaluation[] = [];
  let loaded = await namedData(options);
  for (const file of await modelFiles(source)) {
    const target = await loadWith(file, loaded, options);
    try {
      loaded ??= await testData(target, options);
      warnOfOtherFiles(file.path, target, loaded, options.warn);
      const { record } = target;
      // The last epoch is often the best one: equal weights are evaluated once.
      const same = record.step === null ? undefined : done.get(record.step);
      const out = outOf(file, options);
      const finished = options.resume && out !== null ? await recordedIn(out, target, loaded, options) : undefined;
      const evaluation =
        finished ?? (same ? { ...same, target: record } : await evaluateInto(out, target, loaded, options));
      if (record.step !== null) done.set(record.step, evaluation);
      evaluations.push(evaluation);
      if (out !== null && evaluation !== finished) {
        await recordEvaluation(out, evaluation);
        await removeInterrupted(interruptedPath(out, record.checkpoint));
      }
    } finally {
      target.dispose();
    }
  }
  return evaluations;
}

/** The file of results, null for none. */
function outOf({ path, format }: ModelFile, { out, resume }: EvaluateOptions): string | null {
  const file = out === undefined ? (format === 'checkpoint' ? recordPath(path) : null) : out || null;
  if (resume && file === null) {
    throw new UsageError(`To go on with an evaluation, name the file of its results with --out; ${path} is in no run.`);
  }
  return file;
}

function checkExpectation({ expectClean }: EvaluateOptions): void {
  if (expectClean === undefined || (expectClean >= 0 && expectClean <= 1)) return;
  const meant = expectClean > 1 && expectClean <= 100 ? ` Did you mean ${expectClean / 100}?` : '';
  throw new UsageError(`--expect-clean is a fraction, 0 … 1; ${expectClean} came.${meant}`);
}

/** The data set asked for; null where none was. */
export const namedData = async ({ dataset, dataDirectory }: ModelOptions): Promise<Dataset | null> =>
  typeof dataset === 'string' ? loadDataset(dataset, { directory: dataDirectory }) : (dataset ?? null);

/** A model with the preprocessing asked for, its notes told. */
export async function loadWith(
  file: ModelFile,
  images: Dataset | null,
  { preprocessing, names, warn }: ModelOptions,
): Promise<Target> {
  const target = await loadTarget(file, { preprocessing, names, images: images ?? undefined });
  for (const warning of target.warnings) warn?.(warning);
  return target;
}

/** The data set that a model was trained on. */
export async function testData(target: Target, { dataDirectory }: ModelOptions): Promise<Dataset> {
  if (target.trainedOn === null) {
    throw new InputError('This model does not say what it was trained on: name a data set to test on, with --dataset.');
  }
  return loadDataset(target.trainedOn.name, { directory: dataDirectory });
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

/** Clean and robust accuracy of a loaded model. Writes nothing but the examples, where they are asked for. */
export const evaluateTarget = (target: Target, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation> =>
  evaluateInto(null, target, dataset, options);

/** The same, keeping what is done beside a file of results. */
async function evaluateInto(
  out: string | null,
  target: Target,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { signal, onProgress } = options;
  await checkFit(target, dataset);
  const { checkpoint, sha256, preprocessing } = target.record;
  const settings = settingsOf(target, options);
  const { seed } = settings;
  const backend = backendName();
  const identity = JSON.stringify([
    { sha256, preprocessing, dataset: dataset.sha256, ...settings, backend, version: version() },
    options.saveExamples ?? null,
  ]);
  const kept = out === null ? null : interruptedPath(out, checkpoint);
  const from = options.resume && kept !== null ? await readInterrupted(kept, identity) : null;
  if (options.resume && from === null) {
    options.warn?.(`${checkpoint}: no interrupted evaluation of these settings was kept; it begins anew.`);
  }
  const { name, official, classes, imageShape, test } = dataset;
  const examples =
    options.saveExamples === undefined
      ? null
      : exampleFolder({
          folder: options.saveExamples,
          prefix: checkpoint,
          imageShape,
          test,
          metadata: {
            checkpoint,
            checkpointSha256: sha256,
            dataset: name,
            datasetSha256: dataset.sha256,
            seed: String(seed),
          },
          resumed: from !== null && from.done > 0,
        });
  const measured = await measure(target.classify, dataset, {
    ...settings,
    signal,
    from: from ?? undefined,
    returnsProbabilities: target.returnsProbabilities,
    onClean: (clean) => holdAgainst(clean, target, dataset, options),
    onExamples: examples?.write,
    onState: kept === null ? undefined : (state) => writeInterrupted(kept, identity, state),
    onProgress: onProgress && ((progress) => onProgress({ ...progress, checkpoint })),
  }).catch((error) => {
    if (signal?.aborted && kept !== null) {
      options.warn?.('Stopped. What is done is kept: the same command with --resume goes on from there.');
    }
    throw error;
  });
  await examples?.finish(measured.attacks);
  return {
    claim: CLAIM,
    target: target.record,
    dataset: { name, sha256: dataset.sha256, official, classes },
    split: 'test',
    seed,
    ...measured,
    backend,
    version: version(),
  };
}

/** What is measured, with the defaults that the model's training gives. */
function settingsOf(target: Target, options: EvaluateOptions) {
  const { attacks = PROTOCOLS.quick, seed = 0, batchSize = 256 } = options;
  const limit = options.testLimit ?? target.testLimit ?? undefined;
  return { ...threatOf(target, options), attacks, seed, batchSize, limit } satisfies MeasureOptions;
}

/** The evaluation in a file of results that holds all that is asked for, if there is one. */
async function recordedIn(
  out: string,
  target: Target,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation | undefined> {
  const settings = settingsOf(target, options);
  const finished = (await readEvaluations(out)).find((before) => answers(before, target, dataset, settings));
  if (finished === undefined || options.saveExamples === undefined || finished.clean.correct === 0) return finished;
  const made = settings.epsilons.flatMap((epsilon) =>
    epsilon === 0 ? [] : settings.attacks.map((spec) => ({ attack: attackLabel(spec), norm: settings.norm, epsilon })),
  );
  return (await hasExamples(options.saveExamples, target.record.checkpoint, made)) ? finished : undefined;
}

/** Whether an evaluation that was recorded holds every result asked for, of the same model and images. */
function answers(
  { target, dataset: evaluated, seed, clean, attacks, version: of, backend }: Evaluation,
  { record }: Target,
  { sha256: images, test }: Dataset,
  { norm, epsilons, attacks: wanted, seed: asked, limit = test.count }: MeasureOptions & { readonly seed: number },
): boolean {
  const same =
    // Two checkpoints may be the same file, as best and last are where the last epoch is the best.
    target.checkpoint === record.checkpoint &&
    target.sha256 === record.sha256 &&
    JSON.stringify(target.preprocessing ?? null) === JSON.stringify(record.preprocessing) &&
    evaluated.sha256 === images &&
    seed === asked &&
    clean.n === Math.min(limit, test.count) &&
    of === version() &&
    backend === backendName();
  const found = new Set(
    attacks.map(({ attack, norm, epsilon, steps, stepSize, restarts }) =>
      JSON.stringify([attack, norm, epsilon, { steps, stepSize, restarts }]),
    ),
  );
  const isFound = (spec: AttackSpec, epsilon: number): boolean =>
    found.has(JSON.stringify([attackLabel(spec), norm, epsilon, attackSettings(spec, epsilon)]));
  return same && epsilons.every((epsilon) => wanted.every((spec) => isFound(spec, epsilon)));
}

/** Below this, an unknown model may have been given its images in a way that it was not trained on. */
const LOW_ACCURACY = 0.8;

/**
 * Compares the accuracy without attack with the one that is known, and suggests another preprocessing where it is off.
 *
 * @throws InputError where it is off
 */
async function holdAgainst(
  clean: Accuracy,
  target: Target,
  dataset: Dataset,
  { expectClean, warn }: EvaluateOptions,
): Promise<void> {
  const percent = (value: number): string => `${Number((100 * value).toFixed(1))} %`;
  if (expectClean !== undefined) {
    if (expectClean >= clean.low && expectClean <= clean.high) return;
    const suggestion = await suggestPreprocessing(target, dataset);
    throw new InputError(
      `Clean accuracy is ${percent(clean.value)} (${percent(clean.low)} to ${percent(clean.high)}, n ${clean.n}); ${percent(expectClean)} was expected. No attack was run. ${describeSuggestion(suggestion)}`,
    );
  }
  if (clean.value >= LOW_ACCURACY || target.trainedOn !== null) return;
  const suggestion = await suggestPreprocessing(target, dataset);
  warn?.(
    `Clean accuracy is only ${percent(clean.value)}. ${describeSuggestion(suggestion)} Say --expect-clean ${clean.value} if it is meant to be so.`,
  );
}

/**
 * Checks that a model takes the images of a data set and tells its classes apart, by one of them.
 *
 * @throws InputError for images of another shape, or another number of classes, than the model's, or for images that the
 * model was trained on
 */
export async function checkFit(target: Target, dataset: Dataset): Promise<void> {
  const { inputShape, classes, record, trainedOn } = target;
  if (trainedOn !== null) checkTestSplit(trainedOn.name, dataset.name);
  const { layout, labelOffset } = record.preprocessing ?? {};
  const [height, width, channels] = dataset.imageShape;
  const given = layout === 'nchw' ? [channels, height, width] : [height, width, channels];
  const other = layout === 'nchw' ? [height, width, channels] : [channels, height, width];
  const describe = (count: number | null) =>
    `The model of ${record.checkpoint} takes ${inputShape === null ? 'images' : `images [${inputShape.join(', ')}]`}${count === null ? '' : ` of ${count} classes`}; ${dataset.name} has images [${given.join(', ')}] of ${dataset.classes.length} classes.`;
  if (inputShape !== null && String(inputShape) !== String(given)) {
    const remedy =
      String(inputShape) === String(other)
        ? `Give --layout=${layout === 'nchw' ? 'nhwc' : 'nchw'}.`
        : 'Evaluate it on the data set it was trained on.';
    throw new InputError(`${describe(classes)} ${remedy}`);
  }
  const outputs = classes ?? (await countOutputs(target, dataset));
  if (outputs === dataset.classes.length || (outputs > dataset.classes.length && labelOffset !== undefined)) return;
  const spare =
    outputs > dataset.classes.length
      ? `If its outputs from number N on are those of ${dataset.name}, give --label-offset N.`
      : 'Evaluate it on the data set it was trained on.';
  throw new InputError(`${describe(outputs)} ${spare}`);
}

/** How many outputs a model has for an image of a data set. */
async function countOutputs(target: Target, { test, imageShape, name }: Dataset): Promise<number> {
  const image = batchImages(test, [0], imageShape);
  const { labelOffset: _, ...pixels } = target.record.preprocessing ?? {};
  try {
    return (await logitsOf(target.preprocessedBy(pixels), image)).length;
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(
      `The model of ${target.record.checkpoint} cannot take an image of ${name}, [${imageShape.join(', ')}]: ${(error as Error).message} Check --layout, or wrap it with --module.`,
      { cause: error },
    );
  } finally {
    image.dispose();
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
  throw new InputError(
    `An evaluation in ${norm} needs an epsilon, such as --epsilon 8/255: the model was not trained against ${norm}.`,
  );
}
