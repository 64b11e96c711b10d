// The one table of training settings: a row has everything there is to know about a setting. Flags, help, defaults, refusals,
// the types below and the tables of the docs' tests follow from it.
import { z } from 'zod';
import { everyNorm } from '../../../attacks/norms/index.ts';
import { type DatasetName, datasetNames, datasets } from '../../data/sets/datasets.ts';
import type { DatasetDefaults } from '../../data/types.ts';
import type { NetworkName } from '../../models/models.ts';
import { objectives } from '../../objectives/objectives.ts';
import { BACKEND_CHOICES } from '../../ops/backend-names.ts';
import { AGENT_DEFAULTS, coefficientRules } from '../../optimizers/coefficients.ts';
import { type PrepassName, prepasses } from '../../optimizers/prepasses.ts';
import { defaultPeak, schedules } from '../../optimizers/schedules.ts';
import { agentVariants } from '../../optimizers/variants.ts';
import { type DistributionName, distributions } from '../../sparsity/distributions.ts';
import { type MethodName, type MethodOptions, methods } from '../../sparsity/methods.ts';
import { dropFractions } from '../../sparsity/schedules.ts';
import { combinations } from '../adversary/several-norms/several-norms.ts';
import { parseSteps, STEPS_SCHEDULE } from '../adversary/steps-schedule.ts';
import { trainingAttacks } from '../adversary/training-attacks.ts';
import {
  type Condition,
  configuredSteps,
  corrects,
  type Deciding,
  isAdversarial,
  remembers,
  when,
} from './conditions.ts';

/** The version of a resolved configuration; a record of any other version is refused. */
export const CONFIG_VERSION = 2;

/** Headings under which help lists the flags of settings. */
export type SettingGroup =
  | 'Common'
  | 'Data'
  | 'Network'
  | 'Sparsity'
  | 'Objective'
  | 'Attack'
  | 'Optimizer'
  | 'AGENT'
  | 'Run';

type Value = string | number | boolean | readonly number[] | Readonly<Record<string, number>>;

/** One setting. */
interface Row {
  /** The values that are allowed. */
  readonly schema: z.ZodType;
  /** One line for help and for the page of a report. */
  readonly help: string;
  readonly group: SettingGroup;
  /** The value that is used where none is given. A function sees the settings of earlier rows, and all that were given. */
  readonly default?: Value | ((config: Deciding) => Value | undefined);
  /** When the setting applies; always if left out. Where it does not apply it is refused, and absent from the resolved record. */
  readonly applies?: Condition;
  /** The option of the sparse method that the setting sets. */
  readonly methodOption?: keyof MethodOptions;
  /** What the setting changes; default `training`. Runs that differ in other settings alone compute the same weights. */
  readonly affects?: 'training' | 'evaluation' | 'saving';
}

const positive = z.number().positive();
const count = z.int().positive();
const fraction = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 of 64 hexadecimal digits');

/** The names of a table as zod wants them. */
const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) =>
  z.enum(Object.keys(table) as [Name, ...Name[]]);

const defaultsOf = ({ dataset }: Pick<Deciding, 'dataset'>): DatasetDefaults => datasets[dataset].defaults;

/** The default of an option that the table of methods has. */
const ofMethod =
  <Option extends keyof MethodOptions>(option: Option) =>
  ({ method }: Pick<Deciding, 'method'>) =>
    methods[method].defaults?.[option];

/**
 * PGD has a customary step size for each data set, at its customary radius and number of steps. Under a schedule of steps no
 * default is one number: the step size follows the steps.
 */
function stepSizeOf(config: Deciding): number | undefined {
  const { norm, epsilon, steps, trainingAttack = 'pgd', stepsSchedule } = config;
  const adversary = trainingAttacks[trainingAttack];
  if (adversary.steps !== null) return adversary.stepSize(epsilon, adversary.steps);
  if (stepsSchedule !== undefined || steps === undefined) return undefined;
  const customary = defaultsOf(config);
  const isCustomary = norm === 'linf' && epsilon === customary.epsilon.linf && steps === customary.steps;
  return (isCustomary ? customary.stepSize : null) ?? adversary.stepSize(epsilon, steps);
}

/** The steps below which the guard against collapse is on by default. */
const GUARDED_STEPS = 3;

/** The guard is on where some epoch has an attack of one or two steps. */
function guardOf(config: Deciding): boolean {
  const { stepsSchedule } = config;
  const scheduled = stepsSchedule === undefined ? null : parseSteps(stepsSchedule);
  const all = scheduled?.map((entry) => entry.steps) ?? [configuredSteps(config) ?? 0];
  return all.some((number) => number > 0 && number < GUARDED_STEPS);
}

function methodOf({ sparsity, layerSparsities, from }: Deciding): MethodName {
  if (sparsity === 0 && layerSparsities === undefined) return 'dense';
  return from === undefined ? 'rigl' : 'one-shot';
}

/** The variant of the correction, or the published one where there is none. */
const variantOf = ({ agentVariant = 'published' }: Deciding) => agentVariants[agentVariant];

/** A snapshot must fit between two mask updates. */
const snapshotDelayOf = (config: Deciding): number =>
  Math.min(variantOf(config).snapshotDelay, Math.max(0, (config.updateInterval ?? 1) - 1));

/**
 * AGENT's pre-pass is the one that its authors publish, whose u is a mean over clean images. A rule that takes all or most of
 * u − g̃ whatever c would be pulled to clean training by it, so under attack it gets the u of its own examples.
 */
function prepassOf(config: Deciding): PrepassName {
  const { optimizer, objective } = config;
  const biased = corrects({ optimizer }) && !coefficientRules[optimizer].adaptive && isAdversarial({ objective });
  return biased ? 'matched' : variantOf(config).prepass;
}

/** Epochs at half and at three quarters of the training. */
const halfAndThreeQuarters = ({ epochs }: Deciding): number[] => [
  ...new Set([Math.max(1, Math.floor(epochs / 2)), Math.max(1, Math.floor((3 * epochs) / 4))]),
];

/** Every setting of a training run, in the order of a resolved record: a row stands below those that its default reads. */
export const SETTINGS = {
  version: {
    schema: z.literal(CONFIG_VERSION),
    help: 'version of this record',
    group: 'Run',
    default: CONFIG_VERSION,
  },
  recipe: {
    schema: z.enum(['bsr-net', 'rigl', 'itop', 'rice2020', 'fast']),
    help: "settings of a paper's schedule, or of the recipe fast; other flags override them",
    group: 'Common',
  },

  dataset: {
    schema: z.enum(datasetNames as readonly [DatasetName, ...DatasetName[]]),
    help: 'data set',
    group: 'Common',
    default: 'mnist10k',
  },
  trainLimit: { schema: count, help: 'use only this many training images, as many of each class', group: 'Data' },
  testLimit: {
    schema: count,
    help: 'use only this many test images, as many of each class',
    group: 'Data',
    affects: 'evaluation',
  },
  augment: {
    schema: z.enum(['none', 'shift', 'shift-flip']),
    help: 'random changes of the training images',
    group: 'Data',
    default: (config) => defaultsOf(config).augment,
  },
  noise: {
    schema: positive,
    help: 'standard deviation of normal noise on training pixels, as for randomised smoothing',
    group: 'Data',
    applies: when.notAdversarial,
  },

  model: {
    // Which names there are is checked with everything else, so that the error can name the nearest.
    schema: z.string().min(1) as unknown as z.ZodType<NetworkName>,
    help: 'network: mlp, cnn, vgg16, resnet18, …',
    group: 'Common',
    default: (config) => defaultsOf(config).model as NetworkName,
  },
  width: {
    schema: positive,
    help: 'multiplies the number of channels of every hidden layer',
    group: 'Network',
    default: 1,
  },
  mean: {
    schema: z.array(fraction).min(1),
    help: 'what the network subtracts from pixels first, one number for each channel; attacks still see pixels',
    group: 'Network',
  },
  std: { schema: z.array(positive).min(1), help: 'what the network divides pixels by after that', group: 'Network' },

  epochs: {
    schema: count,
    help: 'passes over the training images',
    group: 'Common',
    default: (config) => defaultsOf(config).epochs,
  },
  batchSize: {
    schema: count,
    help: 'training images in a step',
    group: 'Common',
    default: (config) => defaultsOf(config).batchSize,
  },
  lr: {
    schema: positive,
    help: 'highest learning rate, at the start or at the peak of its schedule',
    group: 'Common',
    default: (config) => defaultsOf(config).lr,
  },
  schedule: {
    schema: namesOf(schedules),
    help: 'schedule of the learning rate',
    group: 'Optimizer',
    default: 'cosine',
  },
  milestones: {
    schema: z.array(count).min(1),
    help: 'multi-step: epochs after which the learning rate falls',
    group: 'Optimizer',
    default: halfAndThreeQuarters,
    applies: when.multiStep,
  },
  decayEvery: {
    schema: count,
    help: 'step: epochs from one fall of the learning rate to the next',
    group: 'Optimizer',
    default: ({ epochs }) => Math.max(1, Math.ceil(epochs / 3)),
    applies: when.step,
  },
  decayFactor: {
    schema: z.number().gt(0).lt(1),
    help: 'step, multi-step: what the learning rate is multiplied by',
    group: 'Optimizer',
    default: 0.1,
    applies: when.stepped,
  },
  lrPeak: {
    schema: z.number().gt(0).lt(1),
    help: 'linear, one-cycle: share of the training at which the learning rate is highest',
    group: 'Optimizer',
    default: ({ schedule }) => defaultPeak(schedule),
    applies: when.peaked,
  },
  momentum: { schema: z.number().min(0).lt(1), help: 'decay of the momentum', group: 'Optimizer', default: 0.9 },
  nesterov: { schema: z.boolean(), help: 'Nesterov momentum', group: 'Optimizer', default: false },
  weightDecay: { schema: z.number().min(0), help: 'weight decay', group: 'Optimizer', default: 5e-4 },
  weightDecayMode: {
    schema: z.enum(['coupled', 'decoupled']),
    help: "how weights decay; coupled: as a part of the gradient, as in PyTorch's SGD",
    group: 'Optimizer',
    default: 'coupled',
  },
  weightDecayScope: {
    schema: z.enum(['all', 'kernels']),
    help: 'what decays; kernels: neither biases nor batch norm',
    group: 'Optimizer',
    default: 'all',
  },

  ema: {
    schema: z.number().gt(0).lt(1),
    help: 'decay of a moving average of the weights, usually 0.999; default: no average',
    group: 'Optimizer',
  },

  objective: { schema: namesOf(objectives), help: 'what training minimises', group: 'Common', default: 'at' },
  beta: {
    schema: z.number().min(0),
    help: 'trades, mart, rst: weight of the robust term',
    group: 'Objective',
    default: ({ objective }) => objectives[objective]().beta ?? undefined,
    applies: when.robustTerm,
  },
  extraImages: {
    schema: sha256,
    help: 'rst: the file of extra images and their pseudo-labels',
    group: 'Objective',
    applies: when.extraImages,
  },
  extraShare: {
    schema: z.number().gt(0).lt(1),
    help: 'rst: share of each batch that is extra images',
    group: 'Objective',
    default: 0.5,
    applies: when.extraImages,
  },
  awpGamma: {
    schema: z.number().min(0).lt(1),
    help: 'length of adversarial weight perturbations, usually 0.01; 0: none',
    group: 'Objective',
    default: 0,
  },
  labelSmoothing: {
    schema: z.number().min(0).lt(1),
    help: 'share of each target that is spread over all classes',
    group: 'Objective',
    default: 0,
  },

  norms: {
    schema: z.partialRecord(z.enum(everyNorm), positive),
    help: 'radii of several norms to train against, as linf=8/255,l2=0.5,l1=12; norm and epsilon are then the first of them',
    group: 'Attack',
    applies: when.at,
  },
  combineNorms: {
    schema: namesOf(combinations),
    help: 'with norms: the worst example of each image, all, one in a random norm, or steps that try each norm',
    group: 'Attack',
    default: 'maximum',
    applies: when.severalNorms,
  },
  norm: {
    schema: z.enum(['linf', 'l2', 'l1']),
    help: 'norm of the perturbations; linf, unless norms says otherwise',
    group: 'Attack',
    default: ({ norms }) => everyNorm.find((norm) => norms?.[norm] !== undefined) ?? 'linf',
  },
  epsilon: {
    schema: positive,
    help: 'radius of the perturbations in pixel units of [0, 1]',
    group: 'Common',
    default: (config) => config.norms?.[config.norm] ?? defaultsOf(config).epsilon[config.norm] ?? Number.NaN,
  },
  trainingAttack: {
    schema: namesOf(trainingAttacks),
    help: 'attack that makes the training examples; rs-fgsm and n-fgsm take one step from a random start of their own',
    group: 'Attack',
    default: 'pgd',
    applies: when.adversarial,
  },
  stepsSchedule: {
    schema: z.string().refine((text) => parseSteps(text) !== null, STEPS_SCHEDULE),
    help: 'steps of the training attack from each share of the training on, as 0@0,1@0.3; 0: natural training',
    group: 'Attack',
    applies: when.adversarial,
  },
  steps: {
    schema: count,
    help: 'steps of the training attack',
    group: 'Attack',
    default: (config) => defaultsOf(config).steps,
    applies: when.choosesSteps,
  },
  stepSize: {
    schema: positive,
    help: 'size of a step of the training attack',
    group: 'Attack',
    default: stepSizeOf,
    applies: when.oneNorm,
  },
  attackWarmup: {
    schema: z.int().min(0),
    help: 'epochs in which epsilon and step size of the training attack rise; 0: none',
    group: 'Attack',
    default: 0,
    applies: when.adversarial,
  },
  guard: {
    schema: z.boolean(),
    help: 'if robust accuracy collapses, return to an earlier epoch and attack with more steps; default: on below 3 steps',
    group: 'Attack',
    default: guardOf,
    applies: when.adversarial,
  },
  attackBn: {
    schema: z.enum(['evaluate', 'train']),
    help: 'statistics of batch norm during the training attack',
    group: 'Attack',
    default: 'evaluate',
  },

  sparsity: {
    schema: z.number().min(0).lt(1),
    help: 'share of kernel weights that are zero',
    group: 'Common',
    default: 0,
  },
  layerSparsities: {
    schema: z.record(z.string(), z.number().min(0).lt(1)),
    help: 'sparsities of single kernels, as conv1.kernel=0.5,fc.kernel=0.9; sparsity is that of all others',
    group: 'Sparsity',
    applies: when.perLayer,
  },
  from: {
    schema: sha256,
    help: 'the checkpoint whose weights training starts from',
    group: 'Run',
    applies: when.takesWeights,
  },
  method: { schema: namesOf(methods), help: 'how the nonzero weights are chosen', group: 'Common', default: methodOf },
  distribution: {
    schema: z.enum([...(Object.keys(distributions) as DistributionName[]), 'global']),
    help: 'how weights are spread over layers; global (one-shot, gradual) keeps the largest of the whole network',
    group: 'Sparsity',
    default: ({ layerSparsities }) => (layerSparsities ? 'per-layer' : 'erk'),
    applies: when.sparse,
  },
  denseFirstConv: {
    schema: z.boolean(),
    help: 'keep the first convolution dense',
    group: 'Sparsity',
    default: ({ distribution }) => distribution === 'uniform',
    applies: when.sparse,
  },
  denseLastLayer: {
    schema: z.boolean(),
    help: 'keep the last layer dense',
    group: 'Sparsity',
    default: false,
    applies: when.sparse,
  },
  firstStageDensity: {
    schema: z.number().gt(0).max(1),
    help: 'distribution bsr-net: density at the start of the stage after that of the first convolution',
    group: 'Sparsity',
    default: 0.2,
    applies: when.bsrNetDistribution,
  },
  dropFraction: {
    schema: z.number().gt(0).lt(1),
    help: 'share of weights that the first mask update drops and grows',
    group: 'Sparsity',
    default: ofMethod('dropFraction'),
    applies: when.rewires,
    methodOption: 'dropFraction',
  },
  dropSchedule: {
    schema: namesOf(dropFractions),
    help: 'how that share falls until the mask updates end',
    group: 'Sparsity',
    default: ofMethod('dropFractionSchedule'),
    applies: when.rewires,
    methodOption: 'dropFractionSchedule',
  },
  updateBegin: {
    schema: z.number().min(0).lt(1),
    help: 'share of the training before the first mask update',
    group: 'Sparsity',
    default: ofMethod('begin'),
    applies: when.updatesMasks,
    methodOption: 'begin',
  },
  updateInterval: {
    schema: count,
    help: 'steps between mask updates',
    group: 'Sparsity',
    default: ofMethod('interval'),
    applies: when.updatesMasks,
    methodOption: 'interval',
  },
  updateEnd: {
    schema: fraction,
    help: 'share of the training after which masks no longer change',
    group: 'Sparsity',
    default: ofMethod('end'),
    applies: when.updatesMasks,
    methodOption: 'end',
  },
  maskUpdate: {
    schema: z.enum(['after-step', 'instead-of-step']),
    help: 'whether masks are updated after a step of the weights or instead of it',
    group: 'Sparsity',
    default: 'after-step',
    applies: when.rewires,
  },
  weightNoise: {
    schema: z.number().min(0),
    help: 'bsr-net: noise on active weights after a step, times the learning rate',
    group: 'Sparsity',
    default: ofMethod('noise'),
    applies: when.bsrNet,
    methodOption: 'noise',
  },

  optimizer: {
    schema: namesOf(coefficientRules),
    help: 'correction of the gradients; sgd has none',
    group: 'Common',
    default: 'sgd',
  },
  agentVariant: {
    schema: namesOf(agentVariants),
    help: 'defaults of the settings of AGENT: as published, or those that prevent its failures',
    group: 'AGENT',
    default: 'published',
    applies: when.corrected,
  },
  agentPrepass: {
    schema: namesOf(prepasses),
    help: 'which examples the pre-pass of an epoch sees; memory needs no pre-pass',
    group: 'AGENT',
    default: prepassOf,
    applies: when.corrected,
  },
  agentAttackSteps: {
    schema: z.int().min(0),
    help: 'attack steps of a matched or subsampled pre-pass; 0: clean images',
    group: 'AGENT',
    default: configuredSteps,
    applies: when.attackedPrepass,
  },
  agentPrepassShare: {
    schema: z.number().gt(0).max(1),
    help: 'share of the batches that a subsampled pre-pass sees',
    group: 'AGENT',
    default: 0.2,
    applies: when.subsampledPrepass,
  },
  agentGamma: {
    schema: fraction,
    help: 'AGENT: scales the coefficient c',
    group: 'AGENT',
    default: AGENT_DEFAULTS.gamma,
    applies: when.agent,
  },
  agentAlpha: {
    schema: z.number().gt(0).max(1),
    help: 'AGENT: how far c follows each new estimate',
    group: 'AGENT',
    default: AGENT_DEFAULTS.alpha,
    applies: when.agent,
  },
  agentBounds: {
    schema: z
      .array(z.number())
      .refine((range) => range.length === 2 && range[0] <= range[1], 'two numbers, the lower one first, such as 0,1'),
    help: 'AGENT: range that each estimate of c is clamped to, as 0,1; default: none (published), 0,1 (stable)',
    group: 'AGENT',
    default: (config) => variantOf(config).bounds?.slice(),
    applies: when.estimated,
  },
  agentFirstEpoch: {
    schema: count,
    help: 'first epoch whose steps are corrected; default: 1 (published), 2 (stable)',
    group: 'AGENT',
    default: (config) => variantOf(config).firstEpoch,
    applies: when.corrected,
  },
  agentSnapshotDelay: {
    schema: z.int().min(0),
    help: 'least number of steps between a mask update and a snapshot; default: 0 (published), 5 (stable)',
    group: 'AGENT',
    default: snapshotDelayOf,
    applies: when.snapshotsBetweenUpdates,
  },
  agentEmptyChannels: {
    schema: z.enum(['corrected', 'uncorrected']),
    help: 'whether weights of channels that were all zero at the snapshot are corrected',
    group: 'AGENT',
    default: (config) => variantOf(config).emptyChannels,
    applies: when.corrected,
  },
  agentCoefficient: {
    schema: z.enum(['losses', 'gradients', 'per-parameter']),
    help: 'pre-pass memory: what c is estimated from; per-parameter: gradients, with a c for each kernel and bias',
    group: 'AGENT',
    default: 'losses',
    applies: when.rememberedByAgent,
  },
  agentMemoryPrecision: {
    schema: z.enum(['float32', 'bfloat16']),
    help: 'pre-pass memory: precision of the gradients that it keeps',
    group: 'AGENT',
    default: 'float32',
    applies: when.remembered,
  },
  fixedBatches: {
    schema: z.boolean(),
    help: 'batches keep their images from epoch to epoch, and only their order changes',
    group: 'Optimizer',
    default: (config) => remembers(config),
  },

  seed: { schema: z.int().min(0), help: 'seed of all random numbers of the run', group: 'Common', default: 0 },
  backend: {
    schema: z.enum(BACKEND_CHOICES),
    help: 'software that computes',
    group: 'Run',
    default: 'auto',
  },
  checkpointEvery: {
    schema: z.number().min(0),
    help: 'seconds between checkpoints within an epoch; 0: none within',
    group: 'Run',
    default: 300,
    affects: 'saving',
  },
} as const satisfies Readonly<Record<string, Row>>;

type Table = typeof SETTINGS;

export type Setting = keyof Table;

type ValueOf<Name extends Setting> = z.infer<Table[Name]['schema']>;

/** Any part of a configuration, as a user gives it. */
export type TrainOptions = { readonly [Name in Setting]?: ValueOf<Name> };

/** Settings that every resolved record has: those with a default that apply always. */
type Always = {
  [Name in Setting]: Table[Name] extends { readonly applies: Condition }
    ? never
    : Table[Name] extends { readonly default: unknown }
      ? Name
      : never;
}[Setting];

/**
 * A resolved configuration: what a run computes, and nothing about where, on how many threads or when. Equal records
 * give equal runs.
 */
export type TrainConfig = Required<Pick<TrainOptions, Always>> & Pick<TrainOptions, Exclude<Setting, Always>>;

/** A row whose default is a value that its own schema allows. */
interface TypedRow<Name extends Setting> extends Row {
  readonly default?: ValueOf<Name> | ((config: Deciding) => ValueOf<Name> | undefined);
}

const typed: { readonly [Name in Setting]: TypedRow<Name> } = SETTINGS;

/** The settings with their rows, in the order of a resolved record. */
export const settingRows = Object.entries(typed) as readonly (readonly [Setting, Row])[];

/** The settings that affect one thing, in the order of a resolved record. */
export const settingsAffecting = (what: NonNullable<Row['affects']>): readonly Setting[] =>
  settingRows.flatMap(([name, { affects = 'training' }]) => (affects === what ? [name] : []));

/** The default of a setting under the settings of the rows above it. */
export const defaultOf = (name: Setting, config: Deciding): TrainOptions[Setting] => {
  const row: Row = SETTINGS[name];
  return (typeof row.default === 'function' ? row.default(config) : row.default) as TrainOptions[Setting];
};

/** The settings that do not apply to a configuration. */
export const uselessIn = (config: Deciding): readonly Setting[] =>
  settingRows.flatMap(([name, { applies }]) => (applies === undefined || applies.holds(config) ? [] : [name]));

/** The defaults that follow from nothing else. */
export const FIXED_DEFAULTS: TrainOptions = Object.fromEntries(
  settingRows.flatMap(([name, row]) =>
    name === 'version' || row.default === undefined || typeof row.default === 'function' ? [] : [[name, row.default]],
  ),
);
