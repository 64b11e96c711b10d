export type { Alarm, AlarmName } from './alarms/alarms.ts';
export {
  type AttackDefaults,
  type AttackSpec,
  attackLabel,
  attackSettings,
  buildAttack,
  PROTOCOLS,
  type ProtocolName,
  parseAttacks,
  protocol,
} from './attacks/named-attacks.ts';
export { formatEpsilon } from './epsilon.ts';
export { evaluate, evaluateTarget } from './evaluate.ts';
export {
  type Example,
  type Examples,
  type ExamplesOptions,
  encodeExamples,
  fell,
  makeExamples,
} from './examples/examples.ts';
export type { FormatName } from './formats/index.ts';
export { type Accuracy, accuracyOf, type Interval, wilson } from './intervals.ts';
export {
  type EvaluationProgress,
  type EvaluationStep,
  type Measurement,
  type MeasureOptions,
  measure,
} from './measure.ts';
export type { EvaluateOptions, ModelOptions } from './options.ts';
export { packBits, unpackBits } from './results/bits.ts';
export { mergeEvaluation, readEvaluations, recordEvaluation } from './results/results-file.ts';
export { unionOf } from './results/union.ts';
export type { Preprocessing } from './targets/preprocessing.ts';
export {
  checkpointFiles,
  type LoadOptions,
  loadTarget,
  type ModelFile,
  type ModelSource,
  modelFiles,
  recordPath,
  type Target,
} from './targets/target.ts';
export { type AttackResult, type AttackStage, CLAIM, type Evaluation, UNION } from './types.ts';
