// Evaluation of a model, or of a run's checkpoints: loads, measures, and adds the results to their file.

import { basename, dirname } from 'node:path';
import { completionOf, describeProgress } from '../checkpoints/completion.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { testIndices } from '../data/split.ts';
import type { Dataset } from '../data/types.ts';
import { checkWritable } from '../files/folders.ts';
import { currentBackend } from '../ops/current-backend.ts';
import { exampleFiles, exampleFolder } from './examples/save-examples.ts';
import { measure } from './measure/measure.ts';
import type { MeasureState } from './measure/types.ts';
import type { EvaluateOptions } from './options.ts';
import { mergedState } from './parts/merge.ts';
import { recordedIn } from './results/finished.ts';
import { type LockedFile, withLockedFile } from './results/locked-file.ts';
import { readEvaluations, recordEvaluation } from './results/results-file.ts';
import {
  type Identity,
  interruptedPath,
  readInterrupted,
  removeInterrupted,
  writeInterrupted,
} from './results/resume-file.ts';
import { settingsOf } from './settings.ts';
import { checkExpectation, holdAgainst } from './targets/expected-accuracy.ts';
import { checkFit, loadWith, namedData, testData, warnOfOtherFiles } from './targets/loading.ts';
import { checkPreprocessing } from './targets/preprocessing.ts';
import { type ModelFile, type ModelSource, modelFiles, recordPath, type Target } from './targets/target.ts';
import { CLAIM, type Evaluation } from './types.ts';
import { version } from './version.ts';

/**
 * Clean and robust accuracy of a model, or of those that a run's folder keeps, on the test split of a data set.
 * Every accuracy comes with its number of images and Wilson's 95 % interval; the robust ones are upper bounds under the
 * attacks that were run. Results are added to the run's evaluation.json.
 *
 * The same model, data, options and seed give the same result. While it runs, what is done is kept beside the file of
 * results, so that `resume` continues from there.
 *
 * @param source path of a checkpoint, of a run's folder, or of another model (docs/foreign-models.md)
 * @returns one evaluation a checkpoint
 * @throws InputError if there is no such model, it is damaged, its images are of another shape, it was trained on the
 * images to test on, or its clean accuracy is not the expected one
 */
export async function evaluate(source: ModelSource, options: EvaluateOptions = {}): Promise<Evaluation[]> {
  checkExpectation(options);
  checkPreprocessing(options.preprocessing ?? {});
  const loaded = await namedData(options);
  const files = await modelFiles(source, options);
  // One file of results for all of them, as only a run's folder has several.
  const out = outOf(files[0], options);
  // What could not be written at the end is found out before the work.
  if (out !== null) await readEvaluations(out);
  return withLockedFile(out, options, (file) => evaluateFiles(files, file, loaded, options));
}

async function evaluateFiles(
  files: readonly ModelFile[],
  out: LockedFile | null,
  named: Dataset | null,
  options: EvaluateOptions,
): Promise<Evaluation[]> {
  if (options.saveExamples !== undefined) await checkWritable(options.saveExamples);
  const done = new Map<string, Evaluation>();
  const evaluations: Evaluation[] = [];
  let loaded = named;
  await warnUnlessComplete(files, options.warn);
  for (const file of files) {
    const target = await loadWith(file, loaded, options);
    try {
      loaded ??= await testData(target, options);
      warnOfOtherFiles(file.path, target, loaded, options.warn);
      const { record } = target;
      // The last epoch is often the best one: equal files are evaluated once. Files of one step may differ, since one may hold the
      // weights averaged over the steps.
      const same = done.get(record.sha256);
      const finished = options.resume && out !== null ? await recordedIn(out.path, target, loaded, options) : undefined;
      const evaluation =
        finished ?? (same ? { ...same, target: record } : await evaluateInto(out, target, loaded, options));
      done.set(record.sha256, evaluation);
      evaluations.push(evaluation);
      if (out === null) continue;
      if (evaluation !== finished) await recordEvaluation(out.path, evaluation, out.guard);
      const kept = interruptedPath(out.path, record.checkpoint);
      // An interrupted evaluation of other settings stays, unless it was begun anew.
      if (evaluation !== finished || !(await isOfOtherSettings(kept, identityOf(target, loaded, options)))) {
        await removeInterrupted(kept, out.guard);
      }
    } finally {
      target.dispose();
    }
  }
  return evaluations;
}

/** Says which checkpoints are those of a run that is not complete. */
async function warnUnlessComplete(files: readonly ModelFile[], warn?: (message: string) => void): Promise<void> {
  const last = files.find(({ path }) => recordPath(path) !== null && basename(path) === 'last.safetensors');
  if (last === undefined) return;
  const found = await completionOf(last.path);
  if (found === null || found.complete) return;
  warn?.(
    `${dirname(dirname(last.path))} is not complete: ${describeProgress(found)}. Its results are of these weights.`,
  );
}

/** The file of results, null for none. */
export function outOf({ path, format }: ModelFile, { out, resume }: EvaluateOptions): string | null {
  const file = out === undefined ? (format === 'checkpoint' ? recordPath(path) : null) : out || null;
  if (resume && file === null) {
    throw new UsageError(
      `To continue the evaluation of ${path}, which is not in a run's folder, name the file of its results with --out.`,
    );
  }
  return file;
}

/** Clean and robust accuracy of a loaded model. Writes nothing but the examples, where they are asked for. */
export const evaluateTarget = (target: Target, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation> =>
  evaluateInto(null, target, dataset, options);

/** Evaluates a model, and keeps unfinished work in a file beside the results. */
async function evaluateInto(
  out: LockedFile | null,
  target: Target,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const { signal, onProgress, onStep } = options;
  await checkFit(target, dataset);
  const { checkpoint } = target.record;
  const settings = settingsOf(target, dataset, options);
  const { seed } = settings;
  const kept = out === null ? null : { path: interruptedPath(out.path, checkpoint), guard: out.guard };
  const identity = identityOf(target, dataset, options);
  const from =
    options.merge !== undefined
      ? await mergedState(options.merge, identity, checkpoint)
      : options.resume && kept !== null
        ? await keptState(kept.path, identity, options)
        : null;
  if (options.resume === true && from === null) {
    options.warn?.(`${checkpoint}: no interrupted evaluation of these settings was kept; it begins anew.`);
  }
  const { name, official, classes } = dataset;
  const examples =
    options.saveExamples === undefined
      ? null
      : exampleFolder({
          ...exampleFiles(options.saveExamples, target.record, dataset, {
            seed,
            evaluated: testIndices(dataset.test, settings.limit).length,
          }),
          test: dataset.test,
          model: target.classify,
          resumed: from !== null && from.done > 0,
        });
  const measured = await measure(target.classify, dataset, {
    ...settings,
    signal,
    from: from ?? undefined,
    returnsProbabilities: target.returnsProbabilities,
    onClean: (clean) => holdAgainst(clean, target, dataset, options),
    onExamples: examples?.write,
    onState: kept === null ? undefined : (state) => writeInterrupted(kept.path, identity, state, kept.guard),
    onProgress: onProgress && ((progress) => onProgress({ ...progress, checkpoint })),
    onStep: onStep && ((step) => onStep({ ...step, checkpoint })),
  }).catch((error) => {
    if (signal?.aborted && kept !== null && options.resume !== 'if-same') {
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
    backend: currentBackend(),
    version: version(),
  };
}

/** What an evaluation under way belongs to. */
export function identityOf(target: Target, dataset: Dataset, options: EvaluateOptions): Identity {
  const { sha256, preprocessing, reading } = target.record;
  const settings = settingsOf(target, dataset, options);
  return {
    'the model': sha256,
    'its preprocessing': preprocessing,
    '--stem, --pools and --activation': reading ?? null,
    '--dataset': dataset.sha256,
    '--norm': [...new Set(settings.threats.map(({ norm }) => norm))].join(),
    '--epsilon': settings.threats.map(({ epsilon }) => epsilon),
    'the attacks': settings.attacks,
    '--seed': settings.seed,
    '--batch-size': settings.batchSize,
    '--test-limit': settings.limit ?? null,
    '--save-examples': options.saveExamples ?? null,
    '--backend': currentBackend(),
    'the version of Equipoise': version(),
  };
}

/** True if a file holds an evaluation that can be continued with other settings. A damaged file counts as missing. */
async function isOfOtherSettings(path: string, identity: Identity): Promise<boolean> {
  const found = await readInterrupted(path, identity).catch((error) => {
    if (!(error instanceof InputError)) throw error;
    return null;
  });
  return found !== null && !('done' in found);
}

/**
 * The state of an interrupted evaluation; null if there is none to continue. A damaged file counts as missing, and
 * a warning names it.
 *
 * @throws UsageError if it is of other settings; with `if-same` the evaluation begins anew then, and a warning says so
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
  if (resume === 'if-same') {
    warn?.(`The interrupted evaluation in ${path} differs in ${found.join(', ')}, so it begins anew.`);
    return null;
  }
  throw new UsageError(
    `The interrupted evaluation in ${path} differs in ${found.join(', ')}. To continue it, give the settings that it was started with. To start from the beginning, leave out --resume.`,
  );
}
