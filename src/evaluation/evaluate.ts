import { InputError, UsageError } from '../core/errors.ts';
import type { Dataset } from '../data/index.ts';
import { backendName } from '../ops/backend-name.ts';
import { checkExpectation, holdAgainst } from './expected-accuracy.ts';
import { type Identity, interruptedPath, readInterrupted, removeInterrupted, writeInterrupted } from './interrupted.ts';
import { checkFit, loadWith, namedData, testData, warnOfOtherFiles } from './loading.ts';
import { type MeasureState, measure } from './measure.ts';
import type { EvaluateOptions } from './options.ts';
import { checkPreprocessing } from './preprocessing.ts';
import { readEvaluations, recordEvaluation } from './record.ts';
import { recordedIn } from './recorded.ts';
import { exampleFiles, exampleFolder } from './save-examples.ts';
import { settingsOf } from './settings.ts';
import { type ModelFile, type ModelSource, modelFiles, recordPath, type Target } from './target.ts';
import { CLAIM, type Evaluation } from './types.ts';
import { version } from './version.ts';

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
    const out = outOf(file, options);
    // What could not be written at the end is found out before the work.
    if (out !== null) await readEvaluations(out);
    const target = await loadWith(file, loaded, options);
    try {
      loaded ??= await testData(target, options);
      warnOfOtherFiles(file.path, target, loaded, options.warn);
      const { record } = target;
      // The last epoch is often the best one: equal weights are evaluated once.
      const same = record.step === null ? undefined : done.get(record.step);
      const finished = options.resume && out !== null ? await recordedIn(out, target, loaded, options) : undefined;
      const evaluation =
        finished ?? (same ? { ...same, target: record } : await evaluateInto(out, target, loaded, options));
      if (record.step !== null) done.set(record.step, evaluation);
      evaluations.push(evaluation);
      if (out !== null && evaluation !== finished) {
        await writing(options, () => recordEvaluation(out, evaluation));
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

/** Names the way out where a run's folder cannot be written to. */
async function writing({ out }: EvaluateOptions, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (out !== undefined || !(error instanceof InputError)) throw error;
    throw new InputError(`${error.message} Name a file elsewhere for the results with --out FILE.`, { cause: error });
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
  const { signal, onProgress, onStep } = options;
  await checkFit(target, dataset);
  const { checkpoint, sha256, preprocessing, reading } = target.record;
  const settings = settingsOf(target, options);
  const { seed } = settings;
  const backend = backendName();
  const kept = out === null ? null : interruptedPath(out, checkpoint);
  const identity = {
    'the model': sha256,
    'its preprocessing': preprocessing,
    '--stem, --pools and --activation': reading ?? null,
    '--dataset': dataset.sha256,
    '--norm': settings.norm,
    '--epsilon': settings.epsilons,
    'the attacks': settings.attacks,
    '--seed': seed,
    '--batch-size': settings.batchSize,
    '--test-limit': settings.limit ?? null,
    '--save-examples': options.saveExamples ?? null,
    '--backend': backend,
    'the version of Equipoise': version(),
  };
  const from = options.resume && kept !== null ? await keptState(kept, identity, options) : null;
  if (options.resume && from === null) {
    options.warn?.(`${checkpoint}: no interrupted evaluation of these settings was kept; it begins anew.`);
  }
  const { name, official, classes } = dataset;
  const examples =
    options.saveExamples === undefined
      ? null
      : exampleFolder({
          ...exampleFiles(options.saveExamples, target.record, dataset, seed),
          test: dataset.test,
          resumed: from !== null && from.done > 0,
        });
  const measured = await measure(target.classify, dataset, {
    ...settings,
    signal,
    from: from ?? undefined,
    returnsProbabilities: target.returnsProbabilities,
    onClean: (clean) => holdAgainst(clean, target, dataset, options),
    onExamples: examples?.write,
    onState: kept === null ? undefined : (state) => writing(options, () => writeInterrupted(kept, identity, state)),
    onProgress: onProgress && ((progress) => onProgress({ ...progress, checkpoint })),
    onStep: onStep && ((step) => onStep({ ...step, checkpoint })),
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

/**
 * What an interrupted evaluation had found; null if there is nothing to continue from. A damaged file is as good as none, and
 * a warning names it.
 *
 * @throws UsageError if it is of other settings; with `if-same` the evaluation begins anew then
 */
async function keptState(
  path: string,
  identity: Identity,
  { resume, warn }: Pick<EvaluateOptions, 'resume' | 'warn'>,
): Promise<MeasureState | null> {
  const found = await readInterrupted(path, identity).catch((error) => {
    if (!(error instanceof InputError)) throw error;
    warn?.(`What an interrupted evaluation had found is lost. ${error.message}`);
    return null;
  });
  if (found === null || 'done' in found) return found;
  if (resume === 'if-same') return null;
  throw new UsageError(
    `The interrupted evaluation in ${path} differs in ${found.join(', ')}. Give what it was begun with to go on, or leave out --resume to begin anew.`,
  );
}
