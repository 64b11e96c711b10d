// Which epoch of a run is its best, and by which measure. The images held out decide; test images are never looked at.
// Natural training is judged by clean accuracy: its robust accuracy is near 0 and highest before the network has learnt.

import { isAdversarial } from '../config/conditions.ts';
import type { TrainConfig } from '../config/settings.ts';
import type { MetricRow } from './metrics.ts';

/** The columns of metrics.csv that may choose the best epoch. */
export const MEASURES = ['validation_clean_accuracy', 'validation_robust_accuracy'] as const;

export type Measure = (typeof MEASURES)[number];

/** The best epoch of a run so far. */
export interface BestEpoch {
  /** Counted from 1. */
  readonly epoch: number;
  readonly measure: Measure;
  /** A fraction, the highest of all epochs; null if no image is held out, and the last epoch is the best one. */
  readonly score: number | null;
  /** Which of the epoch's weights have that score. */
  readonly weights: WeightsKind;
}

/** The weights of a run: as the last step left them, or averaged over the steps (`ema`). */
export const WEIGHTS = ['raw', 'averaged'] as const;

export type WeightsKind = (typeof WEIGHTS)[number];

/** The measure that says how good an epoch is: clean accuracy under the objective `natural`, else robust accuracy. */
export const measureOf = (config: Pick<TrainConfig, 'objective'>): Measure =>
  isAdversarial(config) ? 'validation_robust_accuracy' : 'validation_clean_accuracy';

/** The score of an epoch by the measure of its run; null if no image is held out. */
export const scoreOf = (config: Pick<TrainConfig, 'objective'>, row: Pick<MetricRow, Measure>): number | null =>
  row[measureOf(config)];

type Scores = Pick<MetricRow, Measure | `ema_${Measure}`>;

/** An epoch by its better weights, the averaged ones if both are equally good. */
export function candidateOf(config: Pick<TrainConfig, 'objective'>, row: Scores, epoch: number): BestEpoch {
  const measure = measureOf(config);
  const [raw, averaged] = [row[measure], row[`ema_${measure}`]];
  return raw !== null && averaged !== null && averaged >= raw
    ? { epoch, measure, score: averaged, weights: 'averaged' }
    : { epoch, measure, score: raw, weights: 'raw' };
}

/** True if an epoch is at least as good as the best one before it, or if no image is held out to compare them. */
export const isBest = ({ score }: BestEpoch, before: BestEpoch | null): boolean =>
  score === null || score >= (before?.score ?? 0);
