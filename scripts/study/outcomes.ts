// Reads what the runs of the study left behind.
import { readFile } from 'node:fs/promises';
import { attackLabel } from '../../src/evaluation/attacks/named-attacks.ts';
import { costedRun, isComplete, type RunRecord } from '../../src/reporting/runs/runs.ts';
import { type EpochsToAccuracy, epochsToAccuracy } from '../../src/reporting/tables/epochs-to-accuracy.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import type { Outcome } from './analysis.ts';
import { ATTACK, type Known, SHARED, type StudyRun, TEST_IMAGES } from './design.ts';
import type { Accuracies } from './paired-outcome.ts';

/** A run of the design with what it left behind. */
export interface StudyRecord {
  readonly run: StudyRun;
  readonly record: RunRecord;
}

/** Gradient evaluations so far. */
const gradientsOf = ({ metrics }: RunRecord): number =>
  (metrics.at(-1)?.input_gradients ?? 0) + (metrics.at(-1)?.weight_gradients ?? 0);

/** The gradient evaluations of an epoch, which are the same in every epoch. */
const gradientsAnEpoch = (record: RunRecord): number => gradientsOf(record) / (record.metrics.at(-1)?.epoch ?? 0);

/** True if a run stopped because its loss was no longer finite. */
export async function hasDiverged(folder: string): Promise<boolean> {
  const events = await readFile(runFolder(folder).events, 'utf8').catch(() => '');
  const last = events.trimEnd().split('\n').at(-1) ?? '';
  return /^\{"kind":"failed"/.test(last) && !/"cause":"error"/.test(last);
}

/**
 * What the records tell the design.
 *
 * @param diverged names of the runs that will never finish
 */
export function knownFrom(records: readonly RunRecord[], diverged: ReadonlySet<string>): Known {
  const finished = records.filter(isComplete);
  const score = ({ metrics }: RunRecord) => Math.max(...metrics.map((row) => row.validation_robust_accuracy ?? -1));
  return {
    scores: new Map([
      ...finished.map((record) => [record.name, score(record)] as const),
      ...[...diverged].map((name) => [name, -1] as const),
    ]),
    gradients: new Map(
      records
        .filter((record) => record.metrics.length > 0 && (isComplete(record) || diverged.has(record.name)))
        .map((record) => [record.name, gradientsAnEpoch(record)]),
    ),
  };
}

/** The runs that are trained to their end and evaluated, learning-rate runs aside. */
export const outcomesOf = (records: readonly StudyRecord[]): Outcome[] =>
  records.flatMap(({ run, record }) => {
    const [best, last] = [accuracies(record, 'best'), accuracies(record, 'last')];
    if (run.part === 'rate' || !isComplete(record) || best === null || last === null) return [];
    const { cell, arm, config } = run;
    return [
      {
        cell,
        arm,
        seed: config.seed,
        best,
        last,
        gradients: gradientsOf(record),
        work: record.metrics.at(-1)?.flops ?? Number.NaN,
        varianceRatios: record.metrics.flatMap((row) => row.variance_ratio ?? []),
        coefficient: record.metrics.at(-1)?.c ?? null,
      },
    ];
  });

/** Under the study's own attack; null before it was made, whatever other evaluations there are. */
function accuracies({ evaluations }: RunRecord, checkpoint: string): Accuracies | null {
  for (const { target, split, clean, attacks } of evaluations) {
    if (target.checkpoint !== checkpoint || split !== 'test' || clean.n !== TEST_IMAGES) continue;
    const made = attacks.find(
      ({ attack, norm, epsilon }) =>
        attack === attackLabel(ATTACK) && norm === SHARED.norm && epsilon === SHARED.epsilon,
    );
    if (made) return { clean: clean.value, robust: made.robust.value };
  }
  return null;
}

/** Epochs to accuracy of the finished runs that are attacked in training; the target of a cell is that of X. */
export function studyEpochs(records: readonly StudyRecord[]): EpochsToAccuracy[] {
  const trained = records.filter(
    ({ run, record }) => run.part !== 'rate' && isComplete(record) && record.config.objective !== 'natural',
  );
  const plain = new Set(trained.flatMap(({ run }) => (run.arm === 'plain' ? [run.name] : [])));
  return epochsToAccuracy(
    trained.map(({ record }) => costedRun(record)),
    (run) => plain.has(run.run),
  );
}
