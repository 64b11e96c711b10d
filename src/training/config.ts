import { createHash } from 'node:crypto';
import { z } from 'zod';
import { UsageError } from '../core/errors.ts';
import { type DatasetName, datasetNames, datasets } from '../data/datasets.ts';
import type { DatasetDefaults } from '../data/defaults.ts';
import { formatEpsilon } from '../evaluation/epsilon.ts';
import { type PrepassName, prepasses } from '../optimizers/prepasses.ts';
import { type MethodName, type MethodOptions, methods } from '../sparsity/methods.ts';
import { didYouMean } from './did-you-mean.ts';

/** The version of the record below; a later one that means something else gets a higher number. */
export const CONFIG_VERSION = 1;

const positive = z.number().positive();
const count = z.int().positive();
const fraction = z.number().min(0).max(1);

/** Those that start from random weights. */
const METHODS = Object.keys(methods).filter((name) => !methods[name as MethodName].givenWeights) as [
  MethodName,
  ...MethodName[],
];

/**
 * Every setting of a training run: its range, and what it is for. Settings that follow a condition are absent from a
 * resolved record where the condition does not hold.
 */
export const SETTINGS = {
  version: z.literal(CONFIG_VERSION).describe('version of this record'),
  dataset: z.enum(datasetNames as readonly [DatasetName, ...DatasetName[]]).describe('data set'),
  model: z.string().min(1).describe('network: mlp, cnn, vgg16, resnet18, …'),
  width: positive.describe('multiplies the number of channels of every hidden layer'),
  method: z.enum(METHODS).describe('how the sparse kernels are found'),
  sparsity: z.number().min(0).lt(1).describe('share of kernel weights that are zero'),
  distribution: z.enum(['erk', 'er', 'uniform', 'bsr-net']).describe('how the sparsity is spread over layers'),
  denseFirstConv: z.boolean().describe('keep the first convolution dense'),
  denseLastLayer: z.boolean().describe('keep the last layer dense'),
  dropFraction: z.number().gt(0).lt(1).describe('share of weights rewired at the first mask update'),
  updateInterval: count.describe('steps between mask updates'),
  updateEnd: fraction.describe('share of training after which masks stay as they are'),
  optimizer: z.enum(['sgd', 'agent', 'svrg', 'alpha-svrg']).describe('correction of the gradients; sgd has none'),
  agentPrepass: z
    .enum(Object.keys(prepasses) as [PrepassName, ...PrepassName[]])
    .describe('which examples the pre-pass of an epoch sees'),
  agentAttackSteps: z.int().min(0).describe('attack steps of a matched or subsampled pre-pass; 0: clean images'),
  agentPrepassShare: z.number().gt(0).max(1).describe('share of the batches that a subsampled pre-pass sees'),
  agentGamma: z.number().min(0).max(1).describe('AGENT: scales the coefficient c'),
  agentAlpha: z.number().gt(0).max(1).describe('AGENT: how far c follows each new estimate'),
  objective: z.enum(['natural', 'at', 'mat', 'trades', 'mart']).describe('what is minimised'),
  beta: z.number().min(0).describe('trades, mart: weight of the robust term'),
  awpGamma: z.number().min(0).lt(1).describe('adversarial weight perturbation: its length, usually 0.01; 0: none'),
  labelSmoothing: z.number().min(0).lt(1).describe('share of each target that is spread over all classes'),
  epochs: count.describe('passes over the training images'),
  batchSize: count.describe('images a step'),
  lr: positive.describe('learning rate at the start'),
  momentum: z.number().min(0).lt(1).describe('decay of the momentum'),
  nesterov: z.boolean().describe('Nesterov momentum'),
  weightDecay: z.number().min(0).describe('weight decay'),
  weightDecayMode: z.enum(['coupled', 'decoupled']).describe('in the gradient, or in the weights beside it'),
  schedule: z.enum(['cosine', 'step', 'multi-step', 'constant']).describe('course of the learning rate'),
  milestones: z.array(count).min(1).describe('multi-step: epochs after which the learning rate falls'),
  decayEvery: count.describe('step: epochs from one fall of the learning rate to the next'),
  decayFactor: z.number().gt(0).lt(1).describe('step, multi-step: what the learning rate is multiplied by'),
  seed: z.int().min(0).describe('names every random number of the run'),
  trainLimit: count.describe('use only the first so many training images'),
  testLimit: count.describe('use only the first so many test images'),
  augment: z.enum(['none', 'shift', 'shift-flip']).describe('random changes of the training images'),
  norm: z.enum(['linf', 'l2', 'l1']).describe('norm of the perturbations'),
  epsilon: positive.describe('radius of the perturbations in pixel units of [0, 1]'),
  steps: count.describe('steps of the training attack'),
  stepSize: positive.describe('size of a step of the training attack'),
  attackWarmup: z.int().min(0).describe('epochs in which epsilon and step size of the training attack rise; 0: none'),
  attackBn: z.enum(['evaluate', 'train']).describe('statistics of batch norm during the training attack'),
  backend: z.enum(['auto', 'engine', 'tensorflow', 'webgpu', 'cpu']).describe('what computes'),
  checkpointEvery: z.number().min(0).describe('seconds between checkpoints within an epoch; 0: none within'),
} as const;

export type Setting = keyof typeof SETTINGS;

/** Any part of a configuration, as a user gives it. */
export type TrainOptions = { readonly [K in Setting]?: z.infer<(typeof SETTINGS)[K]> };

/** Settings that only some configurations have. */
type Conditional =
  | 'distribution'
  | 'denseFirstConv'
  | 'denseLastLayer'
  | 'dropFraction'
  | 'updateInterval'
  | 'updateEnd'
  | 'agentPrepass'
  | 'agentAttackSteps'
  | 'agentPrepassShare'
  | 'agentGamma'
  | 'agentAlpha'
  | 'beta'
  | 'milestones'
  | 'decayEvery'
  | 'decayFactor'
  | 'trainLimit'
  | 'testLimit'
  | 'steps'
  | 'stepSize'
  | 'attackWarmup';

/**
 * A resolved configuration: what a run computes, and nothing about where, on how many threads or when. Equal records
 * give equal runs.
 */
export type TrainConfig = Required<Omit<TrainOptions, Conditional>> & Pick<TrainOptions, Conditional>;

const schema = z.strictObject(SETTINGS).partial();

/** For each conditional setting: when it applies, and the words for that. */
const CONDITIONS: { readonly [K in Setting]?: { applies(config: TrainConfig): boolean; readonly to: string } } = {
  distribution: { applies: isSparseMethod, to: 'sparse methods' },
  denseFirstConv: { applies: isSparseMethod, to: 'sparse methods' },
  denseLastLayer: { applies: isSparseMethod, to: 'sparse methods' },
  dropFraction: { applies: has('dropFraction'), to: 'methods that drop and grow weights' },
  updateInterval: { applies: has('interval'), to: 'methods that change their masks from time to time' },
  updateEnd: { applies: has('end'), to: 'methods that change their masks from time to time' },
  agentPrepass: { applies: corrects, to: 'the optimizers agent, svrg and alpha-svrg' },
  agentAttackSteps: {
    applies: ({ agentPrepass, objective }) =>
      agentPrepass !== undefined && prepasses[agentPrepass].examples === 'epoch' && objective !== 'natural',
    to: 'the pre-passes matched and subsampled of adversarial training',
  },
  agentPrepassShare: {
    applies: ({ agentPrepass }) => agentPrepass === 'subsampled',
    to: 'the pre-pass subsampled',
  },
  agentGamma: { applies: ({ optimizer }) => optimizer === 'agent', to: 'the optimizer agent' },
  agentAlpha: { applies: ({ optimizer }) => optimizer === 'agent', to: 'the optimizer agent' },
  beta: {
    applies: ({ objective }) => objective === 'trades' || objective === 'mart',
    to: 'the objectives trades and mart',
  },
  milestones: { applies: ({ schedule }) => schedule === 'multi-step', to: 'the schedule multi-step' },
  decayEvery: { applies: ({ schedule }) => schedule === 'step', to: 'the schedule step' },
  decayFactor: {
    applies: ({ schedule }) => schedule === 'step' || schedule === 'multi-step',
    to: 'the schedules step and multi-step',
  },
  steps: { applies: ({ objective }) => objective !== 'natural', to: 'adversarial objectives' },
  stepSize: { applies: ({ objective }) => objective !== 'natural', to: 'adversarial objectives' },
  attackWarmup: { applies: ({ objective }) => objective !== 'natural', to: 'adversarial objectives' },
};

/** Whether the configuration trains sparse kernels. */
export function isSparseMethod({ method }: Pick<TrainConfig, 'method'>): boolean {
  return methods[method].sparse;
}

/** Whether the method of a configuration has an option. */
function has(option: keyof MethodOptions) {
  return ({ method }: Pick<TrainConfig, 'method'>): boolean => methods[method].defaults?.[option] !== undefined;
}

/** Whether gradients are corrected by those at a snapshot. */
export function corrects({ optimizer }: Pick<TrainConfig, 'optimizer'>): boolean {
  return optimizer !== 'sgd';
}

/** Step of an attack of `steps` steps that nothing else is said about: 2.5 · epsilon / steps (Madry et al. 2018). */
export const defaultStepSize = (epsilon: number, steps: number): number => (2.5 * epsilon) / steps;

/**
 * The resolved configuration of a training run. Resolving a resolved one changes nothing. At sparsity 0 every method is
 * `dense`, so that a sweep can start there.
 *
 * @param input a record of settings, as from a command line, a file or a job; absent ones get their defaults
 * @throws UsageError which names each wrong setting, what came and what is allowed
 */
export function parseConfig(input: unknown): TrainConfig {
  const parsed = schema.safeParse(input);
  if (!parsed.success) throw new UsageError(parsed.error.issues.map((issue) => explain(issue, input)).join('\n'));
  const given: TrainOptions = Object.fromEntries(
    Object.entries(parsed.data).filter(([, value]) => value !== undefined),
  );
  const config = resolve(given);
  const problems = contradictions(given, config);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return sortKeys(config);
}

function resolve(given: TrainOptions): TrainConfig {
  const dataset = given.dataset ?? 'mnist10k';
  const { defaults }: { readonly defaults: DatasetDefaults } = datasets[dataset];
  const sparsity = given.sparsity ?? 0;
  const method =
    sparsity === 0 && given.sparsity !== undefined ? 'dense' : (given.method ?? (sparsity > 0 ? 'rigl' : 'dense'));
  const rewiring = methods[method].defaults;
  const distribution = given.distribution ?? 'erk';
  const optimizer = given.optimizer ?? 'sgd';
  const epochs = given.epochs ?? defaults.epochs;
  const norm = given.norm ?? 'linf';
  const epsilon = given.epsilon ?? defaults.epsilon[norm] ?? Number.NaN;
  const steps = given.steps ?? defaults.steps;
  const customary = norm === 'linf' && epsilon === defaults.epsilon.linf && steps === defaults.steps;
  const all: Required<Omit<TrainOptions, 'trainLimit' | 'testLimit'>> = {
    version: CONFIG_VERSION,
    dataset,
    model: defaults.model,
    width: 1,
    distribution,
    denseFirstConv: distribution === 'uniform',
    denseLastLayer: false,
    dropFraction: rewiring?.dropFraction ?? 0,
    updateInterval: rewiring?.interval ?? 0,
    updateEnd: rewiring?.end ?? 0,
    agentPrepass: 'published',
    agentAttackSteps: steps,
    agentPrepassShare: 0.2,
    agentGamma: 0.1,
    agentAlpha: 0.3,
    objective: 'at',
    beta: given.objective === 'mart' ? 5 : 6,
    awpGamma: 0,
    labelSmoothing: 0,
    batchSize: defaults.batchSize,
    lr: defaults.lr,
    momentum: 0.9,
    nesterov: false,
    weightDecay: 5e-4,
    weightDecayMode: 'coupled',
    schedule: 'cosine',
    milestones: unique([Math.max(1, Math.floor(epochs / 2)), Math.max(1, Math.floor((3 * epochs) / 4))]),
    decayEvery: Math.max(1, Math.ceil(epochs / 3)),
    decayFactor: 0.1,
    seed: 0,
    augment: defaults.augment,
    stepSize: (customary ? defaults.stepSize : null) ?? defaultStepSize(epsilon, steps),
    attackWarmup: 0,
    attackBn: 'evaluate',
    backend: 'auto',
    checkpointEvery: 300,
    ...given,
    sparsity,
    method,
    optimizer,
    epochs,
    norm,
    epsilon,
    steps,
  };
  const config = all as TrainConfig;
  return Object.fromEntries(
    Object.entries(config).filter(([key]) => CONDITIONS[key as Setting]?.applies(config) ?? true),
  ) as TrainConfig;
}

/** `given` without the settings that do not apply to the configuration it leads to: a cell of a sweep's grid. */
export function applicable(given: TrainOptions): TrainOptions {
  const config = resolve(given);
  const useless = Object.entries(CONDITIONS).flatMap(([key, condition]) => (condition.applies(config) ? [] : [key]));
  return Object.fromEntries(Object.entries(given).filter(([key]) => !useless.includes(key)));
}

/** What is wrong between settings that are each in range. */
function contradictions(given: TrainOptions, config: TrainConfig): string[] {
  const problems: string[] = [];
  const sparseAtZero = given.sparsity === 0 && given.method !== undefined && given.method !== 'dense';
  for (const [key, condition] of Object.entries(CONDITIONS)) {
    const value = given[key as Setting];
    if (value === undefined || condition.applies(config)) continue;
    if (sparseAtZero && condition.applies({ ...config, method: given.method })) continue;
    problems.push(
      `${key} ${show(value)} applies to ${condition.to} only; ${situation(key as Setting, config)}. Leave ${key} out, or change that.`,
    );
  }
  if (config.method === 'dense' && config.sparsity > 0) {
    problems.push(
      `sparsity ${config.sparsity} needs a sparse method (such as rigl); method dense came. Choose one, or leave method out for rigl.`,
    );
  }
  if (given.method !== undefined && given.method !== 'dense' && given.sparsity === undefined) {
    problems.push(`method ${given.method} needs a sparsity, such as 0.9; none came.`);
  }
  if ((config.attackWarmup ?? 0) > config.epochs) {
    problems.push(
      `attackWarmup ${config.attackWarmup} is longer than the ${config.epochs} epochs of the run; give at most these.`,
    );
  }
  if (config.agentPrepass === 'published-bsr' && config.optimizer !== 'agent') {
    problems.push(
      `agentPrepass published-bsr differs from published in the coefficient c of the optimizer agent alone; optimizer ${config.optimizer} came. Use agentPrepass published.`,
    );
  }
  if (Number.isNaN(config.epsilon)) {
    problems.push(`epsilon must be given for dataset ${config.dataset} and norm ${config.norm}; there is no default.`);
  }
  if (config.norm === 'linf' && config.epsilon > 1) {
    problems.push(
      `epsilon ${config.epsilon} came; in linf it is at most 1, in pixel units of [0, 1]. Did you mean ${config.epsilon}/255?`,
    );
  }
  const { milestones } = config;
  if (milestones?.some((epoch, i) => i > 0 && epoch <= milestones[i - 1])) {
    problems.push(`milestones must ascend, as 50,75 do; ${milestones.join(',')} came.`);
  }
  if (config.nesterov && config.momentum === 0) {
    problems.push('nesterov true needs a momentum above 0; momentum 0 came.');
  }
  return problems;
}

/** The settings on which `key` depends, as they stand. */
function situation(key: Setting, config: TrainConfig): string {
  const on: readonly Setting[] = key.startsWith('agent')
    ? key === 'agentAttackSteps' || key === 'agentPrepassShare'
      ? ['optimizer', 'agentPrepass', 'objective']
      : ['optimizer']
    : key === 'steps' || key === 'stepSize' || key === 'attackWarmup' || key === 'beta'
      ? ['objective']
      : key === 'milestones' || key.startsWith('decay')
        ? ['schedule']
        : ['method'];
  return `here ${on.flatMap((name) => (config[name] === undefined ? [] : [`${name} is ${config[name]}`])).join(', ')}`;
}

/** A zod issue in words: the setting, what came, what is allowed. */
function explain(issue: z.core.$ZodIssue, input: unknown): string {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys
      .map((key) => {
        const near = didYouMean(key, Object.keys(SETTINGS));
        return `There is no setting ${key}.${near ? ` Did you mean ${near}?` : ` Settings are ${Object.keys(SETTINGS).join(', ')}.`}`;
      })
      .join('\n');
  }
  if (issue.path.length === 0) return `A configuration is a record of settings; ${show(input)} came.`;
  const key = String(issue.path[0]);
  const value = (input as Record<string, unknown>)[key];
  if (key === 'version') {
    return `This version of Equipoise reads configurations of version ${CONFIG_VERSION}; ${show(value)} came. Use the version that wrote it.`;
  }
  return `${key} must be ${allowed(issue)}; ${show(value)} came.${hint(key, value, issue)}`;
}

function allowed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_value':
      return `one of ${issue.values.join(', ')}`;
    case 'too_small':
      return issue.origin === 'array'
        ? 'a list of at least one number'
        : `${issue.inclusive ? 'at least' : 'above'} ${issue.minimum}`;
    case 'too_big':
      return `${issue.inclusive ? 'at most' : 'below'} ${issue.maximum}`;
    case 'invalid_type':
      return issue.expected === 'int'
        ? 'a whole number'
        : `a ${issue.expected === 'array' ? 'list of numbers' : issue.expected}`;
    default:
      return issue.message;
  }
}

function hint(key: string, value: unknown, issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value' && typeof value === 'string') {
    const near = didYouMean(value, issue.values.map(String));
    return near ? ` Did you mean ${near}?` : '';
  }
  if (key === 'sparsity' && typeof value === 'number' && value > 1 && value < 100) {
    return ` Sparsity is a fraction: did you mean ${value / 100}?`;
  }
  return '';
}

const show = (value: unknown): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));

const unique = (values: readonly number[]): number[] => [...new Set(values)];

/** The record with its keys in the order of `SETTINGS`, so that equal records are written alike. */
const sortKeys = (config: TrainConfig): TrainConfig =>
  Object.fromEntries(
    (Object.keys(SETTINGS) as Setting[]).flatMap((key) => (config[key] === undefined ? [] : [[key, config[key]]])),
  ) as TrainConfig;

/** The name of the job that a configuration is: 16 hexadecimal digits of the SHA-256 of its record. */
export const configHash = (config: TrainConfig): string =>
  createHash('sha256')
    .update(JSON.stringify(sortKeys(config)))
    .digest('hex')
    .slice(0, 16);

/** One line about a configuration for people, such as `vgg16 ×0.25 on cifar10, rigl 95 % (erk), agent, at linf 8/255 …`. */
export function describe(config: TrainConfig): string {
  const network = config.width === 1 ? config.model : `${config.model} ×${config.width}`;
  const sparse = isSparseMethod(config)
    ? `${config.method} ${Number((100 * config.sparsity).toFixed(4))} % (${config.distribution})`
    : 'dense';
  const optimizer = corrects(config) ? `${config.optimizer} (${config.agentPrepass})` : config.optimizer;
  const objective =
    config.objective === 'natural'
      ? 'natural'
      : `${config.objective} ${config.norm} ${formatEpsilon(config.epsilon)} PGD-${config.steps}`;
  return `${network} on ${config.dataset}, ${sparse}, ${optimizer}, ${objective}, ${config.epochs} epochs, seed ${config.seed}`;
}
