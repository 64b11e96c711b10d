export {
  configHash,
  describe,
  parseConfig,
  SETTINGS,
  type Setting,
  type TrainConfig,
  type TrainOptions,
} from './config/config.ts';
export { DivergenceError } from './errors.ts';
export { METRIC_COLUMNS, type MetricColumn, type MetricRow } from './run/metrics.ts';
export { describeRobustOverfitting, type RobustOverfitting, robustOverfitting } from './run/robust-overfitting.ts';
export { type RunFolder, readRunConfig, runFolder } from './run/run-folder.ts';
export { train } from './train.ts';
export type * from './types.ts';
