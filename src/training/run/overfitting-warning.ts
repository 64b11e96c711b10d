// When training warns of robust overfitting: once, after the epoch that first shows it.

import { isAdversarial } from '../config/conditions.ts';
import type { TrainConfig } from '../config/config.ts';
import type { MetricRow } from './metrics.ts';
import { describeRobustOverfitting, robustOverfitting } from './robust-overfitting.ts';

/**
 * The warning of robust overfitting to give after the last of some epochs; null if there is nothing to warn of, or an
 * earlier epoch was warned of. It depends on the rows alone, so a resumed run warns after the same epoch.
 *
 * @param rows of metrics.csv, one an epoch
 */
export function overfittingWarning(config: Pick<TrainConfig, 'objective'>, rows: readonly MetricRow[]): string | null {
  if (!isAdversarial(config)) return null;
  const found = robustOverfitting(rows);
  if (found === null || rows.some((_, epochs) => robustOverfitting(rows.slice(0, epochs)) !== null)) return null;
  return describeRobustOverfitting(found);
}
