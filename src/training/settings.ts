import { z } from 'zod';
import { type DatasetName, datasetNames } from '../data/datasets.ts';
import { objectives } from '../objectives/objectives.ts';
import { coefficientRules } from '../optimizers/coefficients.ts';
import { prepasses } from '../optimizers/prepasses.ts';
import { schedules } from '../optimizers/schedules.ts';
import { type DistributionName, distributions } from '../sparsity/distributions.ts';
import { methods } from '../sparsity/methods.ts';
import { dropFractions } from '../sparsity/schedules.ts';

/** The version of the record below; a later one that means something else gets a higher number. */
export const CONFIG_VERSION = 1;

const positive = z.number().positive();
const count = z.int().positive();
const fraction = z.number().min(0).max(1);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 of 64 hexadecimal digits');

/** The names of a table as zod wants them. */
const namesOf = <Name extends string>(table: Readonly<Record<Name, unknown>>) =>
  z.enum(Object.keys(table) as [Name, ...Name[]]);

/**
 * Every setting of a training run: its range, and what it is for. Settings that follow a condition are absent from a
 * resolved record where the condition does not hold. `recipe` stands for others and is in none.
 */
export const SETTINGS = {
  version: z.literal(CONFIG_VERSION).describe('version of this record'),
  recipe: z
    .enum(['bsr-net', 'rigl', 'itop', 'rice2020'])
    .describe("a paper's schedule: settings that any other one given overrides"),
  dataset: z.enum(datasetNames as readonly [DatasetName, ...DatasetName[]]).describe('data set'),
  model: z.string().min(1).describe('network: mlp, cnn, vgg16, resnet18, …'),
  width: positive.describe('multiplies the number of channels of every hidden layer'),
  mean: z
    .array(fraction)
    .min(1)
    .describe('subtracted from pixels by the network, one number a channel; attacks still see pixels'),
  std: z.array(positive).min(1).describe('what it divides them by after that'),
  method: namesOf(methods).describe('how the sparse kernels are found'),
  sparsity: z.number().min(0).lt(1).describe('share of kernel weights that are zero'),
  distribution: z
    .enum([...(Object.keys(distributions) as DistributionName[]), 'global'])
    .describe('how the sparsity is spread over layers; global, of one-shot and gradual: to where weights are smallest'),
  layerSparsities: z
    .record(z.string(), z.number().min(0).lt(1))
    .describe(
      'per-layer: sparsity of each kernel named, as conv1.kernel=0.5,fc.kernel=0.9; that of the others is sparsity',
    ),
  denseFirstConv: z.boolean().describe('keep the first convolution dense'),
  denseLastLayer: z.boolean().describe('keep the last layer dense'),
  firstStageDensity: z.number().gt(0).max(1).describe('bsr-net distribution: density of its first stage at the start'),
  dropFraction: z.number().gt(0).lt(1).describe('share of weights rewired at the first mask update'),
  dropSchedule: namesOf(dropFractions).describe('course of that share until the mask updates end'),
  updateBegin: z.number().min(0).lt(1).describe('share of training before which masks stay as they are'),
  updateInterval: count.describe('steps between mask updates'),
  updateEnd: fraction.describe('share of training after which masks stay as they are'),
  maskUpdate: z
    .enum(['after-step', 'instead-of-step'])
    .describe('whether a step that changes masks moves the weights before'),
  noise: z.number().min(0).describe('bsr-net: noise on active weights after a step, times the learning rate'),
  from: sha256.describe('the checkpoint whose weights training starts from'),
  optimizer: namesOf(coefficientRules).describe('correction of the gradients; sgd has none'),
  agentPrepass: namesOf(prepasses).describe('which examples the pre-pass of an epoch sees'),
  agentAttackSteps: z.int().min(0).describe('attack steps of a matched or subsampled pre-pass; 0: clean images'),
  agentPrepassShare: z.number().gt(0).max(1).describe('share of the batches that a subsampled pre-pass sees'),
  agentGamma: z.number().min(0).max(1).describe('AGENT: scales the coefficient c'),
  agentAlpha: z.number().gt(0).max(1).describe('AGENT: how far c follows each new estimate'),
  objective: namesOf(objectives).describe('what is minimised'),
  beta: z.number().min(0).describe('trades, mart, rst: weight of the robust term'),
  extraImages: sha256.describe('rst: the file of extra images and their pseudo-labels'),
  extraShare: z.number().gt(0).lt(1).describe('rst: share of each batch that is extra images'),
  awpGamma: z.number().min(0).lt(1).describe('adversarial weight perturbation: its length, usually 0.01; 0: none'),
  labelSmoothing: z.number().min(0).lt(1).describe('share of each target that is spread over all classes'),
  epochs: count.describe('passes over the training images'),
  batchSize: count.describe('images a step'),
  lr: positive.describe('learning rate at the start'),
  momentum: z.number().min(0).lt(1).describe('decay of the momentum'),
  nesterov: z.boolean().describe('Nesterov momentum'),
  weightDecay: z.number().min(0).describe('weight decay'),
  weightDecayMode: z.enum(['coupled', 'decoupled']).describe('in the gradient, or in the weights beside it'),
  weightDecayScope: z.enum(['all', 'kernels']).describe('what decays: everything, or neither biases nor batch norm'),
  schedule: namesOf(schedules).describe('course of the learning rate'),
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

/** Settings that change nothing of what training computes, with their defaults: runs that differ in them alone are the same run. */
export const BESIDE_TRAINING = { testLimit: undefined, checkpointEvery: 300 } as const satisfies TrainOptions;

/** Settings that only some configurations have. */
type Conditional =
  | 'recipe'
  | 'mean'
  | 'std'
  | 'layerSparsities'
  | 'firstStageDensity'
  | 'dropSchedule'
  | 'updateBegin'
  | 'maskUpdate'
  | 'noise'
  | 'from'
  | 'extraImages'
  | 'extraShare'
  | 'weightDecayScope'
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
