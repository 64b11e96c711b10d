// The library, by layer. Attacks are also at `equipoise/attacks`, for browsers, and the engine at `equipoise/engine`.
import './ops/gradients.ts';

export * from '../attacks/index.ts';
export { type StartedBackend, type StartOptions, startBackend } from './backends/start.ts';
export { type ReadCheckpoint, readCheckpoint, writeCheckpoint } from './checkpoints/checkpoint.ts';
export { type Imported, type ImportOptions, importModel } from './checkpoints/exchange/import.ts';
export { type LoadedModel, loadModel } from './checkpoints/load-model.ts';
export type { Reading, StemName } from './checkpoints/pytorch/reading.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type Safetensors,
  type StoredTensor,
} from './checkpoints/safetensors/safetensors.ts';
export type { Checkpoint, ModelRecord } from './checkpoints/types.ts';
export { InputError, UsageError } from './core/errors.ts';
export {
  foldIn,
  integers,
  type Key,
  normal,
  permutation,
  sample,
  seedKey,
  split,
  uniform,
} from './core/key.ts';
export {
  copyParams,
  countWeights,
  disposeParams,
  disposeTensors,
  isSparse,
  type Param,
  type Params,
  type SparseParam,
  sparsityOf,
  type Tensors,
  trainables,
  withTrainables,
} from './core/params.ts';
export {
  denseStructure,
  gatherValues,
  indexMap,
  maskStructure,
  type Structure,
  scatterValues,
  structure,
} from './core/structure.ts';
export { type AddOptions, addDataset } from './data/add.ts';
export { MAX_SHIFT, type Placement, placements } from './data/augment.ts';
export { type BatchOptions, batchesOf, batchImages, batchLabels, epochBatches } from './data/batch.ts';
export { type FetchOptions, fetchDataset } from './data/fetch.ts';
export type { Checksum } from './data/files/checksum.ts';
export { dataDirectory } from './data/files/directory.ts';
export type { DownloadFailure, DownloadProgress } from './data/files/download.ts';
export { type DatasetInfo, datasetInfo } from './data/info.ts';
export { checkFolderMeant, checkTestSplit, datasetLabel, loadDataset } from './data/load.ts';
export type { Resampling } from './data/pictures/resize.ts';
export { type Prepared, type PrepareOptions, prepareFolder } from './data/prepare.ts';
export { type DatasetName, datasetNames, datasetOf, datasets } from './data/sets/datasets.ts';
export { type SyntheticOptions, synthetic } from './data/sets/synthetic.ts';
export { balanced, type TrainingIndices, testIndices, trainingIndices } from './data/split.ts';
export type * from './data/types.ts';
export * from './engine/index.ts';
export { type AttackSpec, attackLabel, parseAttacks } from './evaluation/attacks/named-attacks.ts';
export { type ProtocolName, protocol } from './evaluation/attacks/protocols.ts';
export { type CertifyModelOptions, certify } from './evaluation/certify/certify.ts';
export {
  type Certification,
  certifiedAt,
  readCertifications,
  type SmoothedAttack,
} from './evaluation/certify/record.ts';
export {
  type Certificate,
  type CertifyOptions,
  type Smoothed,
  type SmoothOptions,
  smooth,
  type VoteOptions,
} from './evaluation/certify/smooth.ts';
export { evaluate } from './evaluation/evaluate.ts';
export {
  type Example,
  type Examples,
  type ExamplesOptions,
  encodeExamples,
  makeExamples,
} from './evaluation/examples/examples.ts';
export { type Exported, type ExportFormat, exportModel } from './evaluation/export.ts';
export { type Accuracy, type Interval, wilson } from './evaluation/intervals.ts';
export type { EvaluateOptions, ModelOptions } from './evaluation/options.ts';
export type { Preprocessing } from './evaluation/targets/preprocessing.ts';
export { type LoadOptions, loadTarget, type ModelSource, type Target } from './evaluation/targets/target.ts';
export type { Threat } from './evaluation/threat.ts';
export { evaluateExamples, type TransferOptions } from './evaluation/transfer/evaluate.ts';
export { readTransferEvaluations, type TransferEvaluation, type TransferResult } from './evaluation/transfer/record.ts';
export type { AcrossNorms, AttackResult, AttackStage, Evaluation } from './evaluation/types.ts';
export { type ZooCard, zooCards } from './evaluation/zoo/cards.ts';
export { apply, init } from './models/init.ts';
export {
  checkWeights,
  type Declared,
  flops,
  type Kernel,
  kernelsOf,
  type ParameterCounts,
  type ParameterInfo,
  parameterCounts,
  parametersOf,
  statisticsOf,
} from './models/inspect.ts';
export { buildModel, type ModelName, modelBuilder, models } from './models/models.ts';
export {
  fromPytorch,
  MODEL_METADATA,
  type PytorchLayout,
  type PytorchTensor,
  pytorchTensors,
  toPytorch,
} from './models/pytorch.ts';
export type { ModelBuilder, Weights } from './models/types.ts';
export { type VggChannels, vggBsr } from './models/vgg.ts';
export { wideResnet } from './models/wide-resnet.ts';
export { extraBatches, splitBatch } from './objectives/extra-images.ts';
export { type ObjectiveName, type ObjectiveOptions, objectives } from './objectives/objectives.ts';
export type { InnerAttack, Objective, ObjectiveBatch } from './objectives/types.ts';
export { type AttackStrength, type AttackWarmUp, warmedUp } from './objectives/warm-up.ts';
export { atPerturbedWeights, perturbWeights } from './objectives/weight-perturbation.ts';
export { BACKENDS, type BackendChoice, type BackendName } from './ops/backend-names.ts';
export {
  BATCH_NORM_EPSILON,
  BATCH_NORM_MOMENTUM,
  type Layer,
  type NetworkResult,
  type Program,
  type RunOptions,
  runNetwork,
} from './ops/network.ts';
export { type Convolution, sparseConv2d } from './ops/sparse-conv2d.ts';
export { sparseMatMul } from './ops/sparse-matmul.ts';
export { type IndexMaps, type Term, weightedSum } from './ops/weighted-sum.ts';
export { agent, agentCorrection, type Corrected, type Correction, correctGradient } from './optimizers/agent.ts';
export {
  type Average,
  averageDecay,
  carryAverage,
  disposeAverage,
  startAverage,
  updateAverage,
} from './optimizers/average.ts';
export { type CarryMaps, carry, carryMaps, carryState } from './optimizers/carry.ts';
export { chain } from './optimizers/chain.ts';
export {
  AGENT_DEFAULTS,
  type Bounds,
  blendCoefficient,
  boundEstimate,
  coefficientRules,
  type Estimate,
  estimateCoefficient,
  type OptimizerName,
  publishedBsrCoefficient,
} from './optimizers/coefficients.ts';
export { EMPTY_BELOW, emptyEntries, emptyEntriesOf, withoutEntries } from './optimizers/empty-channels.ts';
export { agentPrepass, type LossAndGradients, type PassOptions, type PassResult } from './optimizers/pass.ts';
export { type PrepassName, type PrepassRule, prepasses, subsampleBatches } from './optimizers/prepasses.ts';
export { type Schedule, type ScheduleName, schedules } from './optimizers/schedules.ts';
export {
  addDecayedWeights,
  applyUpdates,
  type LearningRate,
  type SgdOptions,
  scaleByLearningRate,
  sgd,
  trace,
} from './optimizers/sgd.ts';
export { disposeSnapshot, type Snapshot, takeSnapshot } from './optimizers/snapshot.ts';
export type { GradientTransformation, OptimizerState } from './optimizers/types.ts';
export { type VariableLoss, type VariableOwner, variableLoss } from './optimizers/variables.ts';
export { compareVariance, gradientVariance } from './optimizers/variance.ts';
export { type AgentVariant, type AgentVariantName, agentVariants } from './optimizers/variants.ts';
export { type ExampleFiles, writeExamples } from './reporting/pictures/examples.ts';
export { type Report, type ReportOptions, writeReport } from './reporting/report.ts';
export { readRuns } from './reporting/runs/runs.ts';
export { resultRows } from './reporting/tables/result-rows.ts';
export type { ResultRow } from './reporting/tables/results.ts';
export { type BsrNetOptions, bsrNet, startBsrNet } from './sparsity/bsr-net.ts';
export {
  bsrNetConnected,
  type Distribution,
  type DistributionName,
  type DistributionOptions,
  distributions,
  type KernelShape,
} from './sparsity/distributions.ts';
export { type GradualOptions, globally, gradual } from './sparsity/gradual.ts';
export { type Method, type MethodName, type MethodOptions, methods, type Start } from './sparsity/methods.ts';
export { globalMagnitudeCounts, prune } from './sparsity/prune.ts';
export { type RewireOptions, rewire } from './sparsity/rewire.ts';
export { type DropRuleName, dropRules, type GrowRuleName, growRules } from './sparsity/scores.ts';
export { fixedSigns, type SignOf, type Signs } from './sparsity/signs.ts';
export { sparsify } from './sparsity/sparsify.ts';
export { type Spread, type StartOptions as StartNetworkOptions, startNetwork } from './sparsity/start-network.ts';
export type { MaskUpdate, Progress, Sparsifier } from './sparsity/types.ts';
export { type Axes, type Grid, type Job, jobsOf } from './sweeps/grid.ts';
export { runSweep, type SweepOptions, type SweepResult } from './sweeps/sweep.ts';
export {
  configHash,
  describe,
  parseConfig,
  readConfig,
  SETTINGS,
  type TrainConfig,
  type TrainOptions,
} from './training/config/config.ts';
export { type RecipeName, recipes } from './training/config/recipes.ts';
export { sha256OfFile } from './training/run/fingerprint.ts';
export type { MetricRow } from './training/run/metrics.ts';
export { train } from './training/train.ts';
export type { RunSummary, TrainEvent, TrainRunOptions } from './training/types.ts';
