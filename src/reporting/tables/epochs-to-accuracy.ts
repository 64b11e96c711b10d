// What training cost until a run was as accurate on held-out images as plain SGD is in the end. Each run is followed by its
// own measure: clean accuracy under natural training, else robust accuracy.

import type { Measure } from '../../training/run/best-epoch.ts';
import { groupBy } from '../groups/group-by.ts';
import { groupName } from '../groups/group-name.ts';
import { mean } from '../statistics/statistics.ts';
import { formatCsv } from './csv.ts';

/** What an epoch brought and what the run had cost by its end, counted in images. */
export interface EpochCost {
  readonly epoch: number;
  /**
   * Validation accuracy by the measure of the run: clean under natural training, else robust. A fraction; null if it was not
   * measured.
   */
  readonly score: number | null;
  readonly forwardPasses: number;
  readonly inputGradients: number;
  readonly weightGradients: number;
  readonly seconds: number;
}

/** A training run as this comparison needs it. */
export interface CostedRun {
  readonly run: string;
  readonly dataset: string;
  /** Hash of the data set's files; null if it is not known. */
  readonly datasetSha256: string | null;
  /** The norm and radius of the attack on held-out images. */
  readonly norm: string;
  readonly epsilon: number;
  /** The column of metrics.csv that `score` is taken from. */
  readonly measure: Measure;
  readonly model: string;
  readonly width: number;
  readonly method: string;
  readonly distribution: string;
  readonly optimizer: string;
  readonly agentPrepass: string;
  readonly objective: string;
  readonly sparsity: number;
  readonly seed: number;
  /** Equal for runs that share all other settings too; runs in which it differs are not compared. */
  readonly setting?: string;
  /** One an epoch, in order, costs summed up from the start. */
  readonly epochs: readonly EpochCost[];
}

export interface EpochsToAccuracy {
  readonly run: CostedRun;
  /** Mean over seeds of the baseline's final score. */
  readonly target: number;
  readonly reached: boolean;
  /** The first of two consecutive epochs at or above the target; the last epoch where there are none. */
  readonly at: EpochCost;
}

export const EPOCHS_TO_ACCURACY_COLUMNS = [
  'run',
  'group',
  'dataset',
  'model',
  'width',
  'method',
  'distribution',
  'optimizer',
  'agent_prepass',
  'objective',
  'sparsity',
  'seed',
  'measure',
  'target',
  'reached',
  'epochs',
  'forward_passes',
  'input_gradients',
  'weight_gradients',
  'seconds',
] as const;

/** The measure of a run in a word: what accuracy on held-out images it is followed by. */
export const measureName = (measure: Measure): 'clean' | 'robust' =>
  measure === 'validation_clean_accuracy' ? 'clean' : 'robust';

/**
 * What each run spent until its validation accuracy (clean under natural training, else robust) was, for two consecutive
 * epochs, at or above what the baseline ends with in the same setting. A run that never gets there is listed with all it
 * spent. Settings that were not also trained as the baseline are left out.
 *
 * @param runs complete ones: what an unfinished run has so far is not what it ends with
 * @param isBaseline default: trained with plain SGD
 */
export function epochsToAccuracy(
  runs: readonly CostedRun[],
  isBaseline: (run: CostedRun) => boolean = ({ optimizer }) => optimizer === 'sgd',
): EpochsToAccuracy[] {
  const settings = groupBy(
    runs.filter(({ epochs }) => epochs.length > 0),
    ({ dataset, datasetSha256, norm, epsilon, model, width, method, distribution, objective, sparsity, setting }) =>
      JSON.stringify([
        dataset,
        datasetSha256,
        norm,
        epsilon,
        model,
        width,
        method,
        distribution,
        objective,
        sparsity,
        setting,
      ]),
  );
  return settings.flatMap((group) => {
    const finals = group.filter(isBaseline).flatMap(({ epochs }) => epochs[epochs.length - 1].score ?? []);
    if (finals.length === 0) return [];
    const target = mean(finals);
    return group.map((run) => {
      const first = firstSustained(
        run.epochs.map(({ score }) => score),
        target,
      );
      return { run, target, reached: first >= 0, at: run.epochs.at(first) as EpochCost };
    });
  });
}

/** The index of the first of two consecutive scores at or above a target; −1 if there are none. */
export const firstSustained = (scores: readonly (number | null)[], target: number): number => {
  const meets = scores.map((score) => score !== null && score >= target);
  return meets.findIndex((met, i) => met && meets[i + 1]);
};

export const formatEpochsToAccuracy = (comparisons: readonly EpochsToAccuracy[]): string =>
  formatCsv(
    EPOCHS_TO_ACCURACY_COLUMNS,
    comparisons.map(({ run, target, reached, at }) => ({
      run: run.run,
      group: groupName({ ...run, sha256: run.datasetSha256 }),
      dataset: run.dataset,
      model: run.model,
      width: run.width,
      method: run.method,
      distribution: run.distribution,
      optimizer: run.optimizer,
      agent_prepass: run.agentPrepass,
      objective: run.objective,
      sparsity: run.sparsity,
      seed: run.seed,
      measure: measureName(run.measure),
      target,
      reached: String(reached),
      epochs: at.epoch,
      forward_passes: at.forwardPasses,
      input_gradients: at.inputGradients,
      weight_gradients: at.weightGradients,
      seconds: at.seconds,
    })),
  );
