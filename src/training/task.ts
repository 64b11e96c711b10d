// The task of a run: everything that stays the same while it trains, built from the configuration.
import type { ModelRecord } from '../checkpoints/types.ts';
import { UsageError } from '../core/errors.ts';
import { foldIn, type Key, seedKey } from '../core/key.ts';
import { loadDataset } from '../data/load.ts';
import { type TrainingIndices, trainingIndices } from '../data/split.ts';
import type { Dataset, Split } from '../data/types.ts';
import { kernelsOf } from '../models/inspect.ts';
import { buildModel } from '../models/models.ts';
import { splitBatch } from '../objectives/extra-images.ts';
import { objectives } from '../objectives/objectives.ts';
import type { Objective } from '../objectives/types.ts';
import type { Program } from '../ops/network.ts';
import { agent, type Corrected } from '../optimizers/agent.ts';
import { type Bounds, type CoefficientRule, coefficientRules } from '../optimizers/coefficients.ts';
import { type PrepassRule, prepasses } from '../optimizers/prepasses.ts';
import { type Schedule, schedules } from '../optimizers/schedules.ts';
import type { LearningRate } from '../optimizers/sgd.ts';
import type { GradientTransformation } from '../optimizers/types.ts';
import { type AgentVariant, agentVariants } from '../optimizers/variants.ts';
import {
  type DistributionOptions,
  distributions,
  type KernelShape,
  keptDense,
  type WeightCounts,
} from '../sparsity/distributions.ts';
import { type CountsAt, globally } from '../sparsity/gradual.ts';
import { methods } from '../sparsity/methods.ts';
import { fixedSigns, type Signs } from '../sparsity/signs.ts';
import type { Sparsifier } from '../sparsity/types.ts';
import type { Standing } from './adversary/plan.ts';
import { prepassAttack, trainingAttack, validationAttack } from './adversary/training-batches.ts';
import type { TrainingAttack } from './adversary/types.ts';
import type { Precision } from './agent/gradient-log.ts';
import { readExtraImages } from './batches/extra-images.ts';
import type { TrainConfig } from './config/config.ts';
import { methodOptions } from './config/method-options.ts';

/** The files that a configuration names by their content. */
export interface TaskFiles {
  /** The folder of the data sets; default: the one of the data layer. */
  readonly dataDirectory?: string;
  /** The checkpoint that training starts from. */
  readonly from?: string;
  /** The extra images of `rst`. */
  readonly extraImages?: string;
}

/** Options of the correction of gradients, beside the pre-pass and the rule. */
export interface AgentOptions extends Pick<AgentVariant, 'firstEpoch' | 'snapshotDelay' | 'emptyChannels'> {
  readonly bounds?: Bounds;
  /** The origin of ĉ under the pre-pass memory. */
  readonly coefficient: 'losses' | 'gradients' | 'per-parameter';
  /** The precision in which the pre-pass memory keeps gradients. */
  readonly precision: Precision;
}

/** Everything about a run that stays as it is while it trains. */
export interface Task {
  readonly config: TrainConfig;
  readonly dataset: Dataset;
  /** Numbers of the images to train on and of those held out, in the training split. */
  readonly indices: TrainingIndices;
  /** Images beside the data set, numbered on from its training images; null if the objective wants none. */
  readonly extra: Split | null;
  /** The checkpoint that training starts from, until it has; null for random weights. */
  readonly from: string | null;
  readonly model: ModelRecord;
  readonly program: Program;
  readonly objective: Objective;
  readonly optimizer: GradientTransformation<LearningRate & Corrected>;
  /** What multiplies u − g̃. */
  readonly rule: CoefficientRule;
  /** What the pass before an epoch looks at; there is none where `rule` corrects nothing. */
  readonly prepass: PrepassRule;
  readonly agent: AgentOptions;
  /** The rule by which masks change; null if they never do. */
  readonly sparsifier: Sparsifier | null;
  /** The fixed signs of the weights, for a method that has them. */
  readonly signs: Signs;
  readonly schedule: Schedule;
  readonly attacks: {
    /** The training attack of the epoch that comes next, or null if it trains on images as they are. */
    training(standing: Standing): TrainingAttack | null;
    /** The attack of the pre-pass before that epoch, or null if it sees no adversarial examples. */
    prepass(standing: Standing): TrainingAttack | null;
    readonly validation: ReturnType<typeof validationAttack>;
  };
  readonly keys: RunKeys;
  readonly batchesPerEpoch: number;
  readonly totalSteps: number;
}

/** A key for each use of randomness, by name: using one more or less of them changes no other. */
export interface RunKeys {
  /** Key for the initial weights. */
  readonly init: Key;
  /** Key for the initial masks. */
  readonly masks: Key;
  /** Key for the fixed signs of bsr-net. */
  readonly signs: Key;
  /** Key for the images of each batch, where these are fixed. */
  readonly batches: Key;
  /** Key for an epoch's order and augmentation. */
  data(epoch: number): Key;
  /** Key for an epoch's training attack; each image has a stream of its own below it. */
  attack(epoch: number): Key;
  /** Key for the mask update after a step. */
  rewire(step: number): Key;
  /** Key for the attack that measures accuracy, the same in every epoch. */
  readonly validation: Key;
}

function runKeys(seed: number): RunKeys {
  const named = (name: string): Key => foldIn(seedKey(seed), name);
  return {
    init: named('init'),
    masks: named('masks'),
    signs: named('signs'),
    batches: named('batches'),
    data: (epoch) => foldIn(named('data'), epoch),
    attack: (epoch) => foldIn(named('attack'), epoch),
    rewire: (step) => foldIn(named('rewire'), step),
    validation: named('validation'),
  };
}

/**
 * Reads the data set and builds what a configuration names.
 *
 * @throws InputError if the data are missing or damaged, or the model does not fit the images
 */
export async function openTask(config: TrainConfig, files: TaskFiles = {}): Promise<Task> {
  const dataset = await loadDataset(config.dataset, { directory: files.dataDirectory });
  const indices = trainingIndices(dataset, config.trainLimit);
  const { mean, std } = config;
  const model: ModelRecord = {
    name: config.model,
    inputShape: dataset.imageShape,
    classes: dataset.classes.length,
    width: config.width,
    ...(mean && std && { normalize: { mean, std } }),
  };
  const program = buildModel(config.model, model);
  const keys = runKeys(config.seed);
  const signs = fixedSigns(keys.signs);
  const { labelSmoothing, beta, extraShare } = config;
  const objective = {
    ...objectives[config.objective]({ labelSmoothing, beta, extraShare }),
    weightPerturbation: config.awpGamma,
  };
  const { labelled, extra } = splitBatch(config.batchSize, objective.extraShare);
  if (objective.extraShare > 0 && (labelled < 1 || extra < 1)) {
    throw new UsageError(
      `A batch of ${config.batchSize} images, of which a share of ${objective.extraShare} is extra, has ${labelled} labelled and ${extra} extra images; expected at least one of each. Use larger batches.`,
    );
  }
  const batchesPerEpoch = Math.ceil(indices.train.length / labelled);
  const totalSteps = batchesPerEpoch * config.epochs;
  return {
    config,
    dataset,
    indices,
    extra: objective.extraShare > 0 ? await readExtraImages(config, dataset, files.extraImages) : null,
    from: files.from ?? null,
    model,
    program,
    objective,
    optimizer: agent({
      momentum: config.momentum,
      nesterov: config.nesterov,
      weightDecay: config.weightDecay,
      decay: config.weightDecayMode,
      scope: config.weightDecayScope,
    }),
    rule: coefficientRules[config.optimizer],
    prepass: prepasses[config.agentPrepass ?? 'published'],
    agent: agentOptions(config),
    sparsifier: methods[config.method].sparsifier({
      ...methodOptions(config, totalSteps),
      ...(config.distribution !== undefined && { counts: countsOf(config, kernelsOf(program)) }),
      signs,
    }),
    signs,
    schedule: learningRateSchedule(config),
    attacks: {
      training: (standing) => trainingAttack(config, objective, standing),
      prepass: (standing) => prepassAttack(config, objective, standing),
      validation: validationAttack(config),
    },
    keys,
    batchesPerEpoch,
    totalSteps,
  };
}

function agentOptions({
  agentBounds,
  agentFirstEpoch: firstEpoch = agentVariants.published.firstEpoch,
  agentSnapshotDelay: snapshotDelay = agentVariants.published.snapshotDelay,
  agentEmptyChannels: emptyChannels = agentVariants.published.emptyChannels,
  agentCoefficient: coefficient = 'losses',
  agentMemoryPrecision: precision = 'float32',
}: TrainConfig): AgentOptions {
  const [low, high] = agentBounds ?? [];
  const bounds = low !== undefined && high !== undefined ? ([low, high] as const) : undefined;
  return { firstEpoch, snapshotDelay, emptyChannels, coefficient, precision, ...(bounds && { bounds }) };
}

/** How many weights each kernel has in the end, or where weights decide that, how many of those it has it keeps. */
function countsOf(config: TrainConfig, kernels: readonly KernelShape[]): WeightCounts | CountsAt {
  const { distribution = 'erk', sparsity } = config;
  const options = distributionOptions(config);
  return distribution === 'global'
    ? globally(sparsity, keptDense(kernels, options))
    : distributions[distribution](kernels, sparsity, options);
}

/** What the configuration says about where the weights are, beside the distribution. */
export const distributionOptions = (config: TrainConfig): DistributionOptions => ({
  firstConvolutionDense: config.denseFirstConv,
  lastLayerDense: config.denseLastLayer,
  sparsities: config.layerSparsities,
  firstStageDensity: config.firstStageDensity,
});

/** The learning rate of a step, counted from 0. */
export const learningRateAt = ({ config, schedule, totalSteps }: Task, step: number): number =>
  config.lr * schedule(step / totalSteps);

/** The factor on the learning rate over the share of the steps that are done. */
function learningRateSchedule({
  schedule,
  milestones,
  decayEvery,
  decayFactor,
  lrPeak,
  epochs,
}: TrainConfig): Schedule {
  return schedules[schedule]({
    ...(decayFactor !== undefined && { factor: decayFactor }),
    ...(decayEvery !== undefined && { every: decayEvery / epochs }),
    ...(lrPeak !== undefined && { peak: lrPeak }),
    ...(milestones && { milestones: milestones.map((epoch) => Math.min(1, epoch / epochs)) }),
  });
}
