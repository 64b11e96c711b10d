// Finds a finished evaluation in a file of results, so that it is not made again.
import type { Dataset } from '../../data/types.ts';
import { currentBackend } from '../../ops/current-backend.ts';
import { type AttackSpec, attackLabel, attackSettings } from '../attacks/named-attacks.ts';
import { exampleFiles, hasExamples } from '../examples/save-examples.ts';
import type { MeasureOptions } from '../measure/types.ts';

import type { EvaluateOptions } from '../options.ts';
import { settingsOf } from '../settings.ts';
import type { Target } from '../targets/target.ts';
import { countsAcross, isAcrossNorms, type Threat } from '../threat.ts';
import type { Evaluation } from '../types.ts';
import { version } from '../version.ts';
import { readEvaluations } from './results-file.ts';

/** The evaluation in a file of results that holds all that is asked for, if there is one. */
export async function recordedIn(
  out: string,
  target: Target,
  dataset: Dataset,
  options: EvaluateOptions,
): Promise<Evaluation | undefined> {
  const settings = settingsOf(target, dataset, options);
  const finished = (await readEvaluations(out)).find((before) => answers(before, target, dataset, settings));
  if (finished === undefined || options.saveExamples === undefined || finished.clean.correct === 0) return finished;
  const made = settings.threats.flatMap(({ norm, epsilon }) =>
    epsilon === 0 ? [] : settings.attacks.map((spec) => ({ attack: attackLabel(spec), norm, epsilon })),
  );
  const files = exampleFiles(options.saveExamples, target.record, dataset, {
    seed: settings.seed,
    evaluated: finished.clean.n,
  });
  return (await hasExamples(files, made, finished.clean.correct)) ? finished : undefined;
}

/** True if an evaluation that was recorded holds every result asked for, of the same model and images. */
function answers(
  before: Evaluation,
  { record }: Target,
  { sha256: images, test }: Dataset,
  { threats, attacks: wanted, seed: asked, limit = test.count }: MeasureOptions & { readonly seed: number },
): boolean {
  const { target, dataset: evaluated, seed, clean, attacks, version: of, backend } = before;
  const same =
    // Two checkpoints may be the same file, as best and last are where the last epoch is the best.
    target.checkpoint === record.checkpoint &&
    target.sha256 === record.sha256 &&
    JSON.stringify(target.preprocessing ?? null) === JSON.stringify(record.preprocessing) &&
    JSON.stringify(target.reading ?? null) === JSON.stringify(record.reading ?? null) &&
    evaluated.sha256 === images &&
    seed === asked &&
    clean.n === Math.min(limit, test.count) &&
    of === version() &&
    backend === currentBackend();
  const found = new Set(
    attacks.map(({ attack, norm, epsilon, steps, stepSize, restarts }) =>
      JSON.stringify([attack, norm, epsilon, { steps, stepSize, restarts }]),
    ),
  );
  const isFound = (spec: AttackSpec, { norm, epsilon }: Threat): boolean =>
    found.has(JSON.stringify([attackLabel(spec), norm, epsilon, attackSettings(spec, epsilon)]));
  return (
    same &&
    threats.every((threat) => wanted.every((spec) => isFound(spec, threat))) &&
    (!isAcrossNorms(threats) || countsAcross(before, threats))
  );
}
