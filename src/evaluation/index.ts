export type { Alarm, AlarmName } from './alarms.ts';
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
} from './attacks.ts';
export { packBits, unpackBits } from './bits.ts';
export { formatEpsilon } from './epsilon.ts';
export { evaluate, evaluateTarget } from './evaluate.ts';
export {
  type Example,
  type Examples,
  type ExamplesOptions,
  encodeExamples,
  fell,
  makeExamples,
} from './examples.ts';
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
export type { Preprocessing } from './preprocessing.ts';
export { mergeEvaluation, readEvaluations, recordEvaluation } from './record.ts';
export {
  checkpointFiles,
  type LoadOptions,
  loadTarget,
  type ModelFile,
  type ModelSource,
  modelFiles,
  recordPath,
  type Target,
} from './target.ts';
export { type AttackResult, type AttackStage, CLAIM, type Evaluation, UNION } from './types.ts';
export { unionOf } from './union.ts';
