// The table of recipes: the schedules of papers as settings.
import { type DatasetName, datasets } from '../../data/sets/datasets.ts';

import type { NetworkName } from '../../models/models.ts';
import type { TrainOptions } from './settings.ts';

/** What a recipe's settings follow: those of the user where they are given, else the recipe's own. */
interface Occasion {
  readonly dataset: DatasetName;
  readonly epochs: number;
  readonly model: string;
  readonly method: NonNullable<TrainOptions['method']>;
  readonly objective: NonNullable<TrainOptions['objective']>;
}

/**
 * The schedule of a paper, as its authors' code has it, or a schedule of our own. What follows the data set there too is left
 * to the data set's own defaults: the attack, which for CIFAR and SVHN is that of these papers, and for CIFAR augmentation.
 */
interface Recipe extends Omit<Occasion, 'dataset' | 'model'> {
  /** The network, of colour images of 32 × 32 pixels; other data sets keep their own. */
  readonly model: NetworkName;
  readonly settings: (occasion: Occasion) => TrainOptions;
}

/** The names of the recipes. */
export type RecipeName = NonNullable<TrainOptions['recipe']>;

const SGD = { batchSize: 128, lr: 0.1, momentum: 0.9 } as const;

/** A tenth of the learning rate at half and again at three quarters of the epochs: the default milestones. */
const HALF_AND_THREE_QUARTERS = { schedule: 'multi-step', decayFactor: 0.1 } as const;

/** What a network does to pixels first. */
type Normalization = Required<Pick<TrainOptions, 'mean' | 'std'>>;

/** Mean and deviation of CIFAR-100's training images, as torchvision's examples give them. */
const CIFAR100: Normalization = {
  mean: [0.5070751592371323, 0.48654887331495095, 0.4409178433670343],
  std: [0.2673342858792401, 0.2564384629170883, 0.27615047132568404],
};

const CIFAR10_MEAN = [0.4914, 0.4822, 0.4465];

/** What Liu et al. divide by is the mean of each image's own deviation. */
const ITOP_NORMALIZATION: { readonly [Name in DatasetName]?: Normalization } = {
  cifar10: { mean: CIFAR10_MEAN, std: [0.2023, 0.1994, 0.201] },
  cifar100: CIFAR100,
};

const RICE_NORMALIZATION: { readonly [Name in DatasetName]?: Normalization } = {
  cifar10: { mean: CIFAR10_MEAN, std: [0.2471, 0.2435, 0.2616] },
  cifar100: CIFAR100,
  svhn: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
};

/** Steps after which masks stay, of those of a run, in google-research/rigl. */
const RIGL_END = 75_000 / 97_656;

/** A fifth of the learning rate after every 30,000 of 97,656 steps, 250 epochs, there. */
const RIGL_DROP = 30_000 / 97_656;

/** The papers' schedules by name. */
export const recipes: { readonly [Name in RecipeName]: Recipe } = {
  /**
   * Özdenizci and Legenstein (2021), as IGITUGraz/SparseAdversarialTraining. SGDW of tensorflow-addons subtracts λ'·w,
   * λ' = 1e-3 (at) or 5e-4 (trades, mart, rst), and lets λ' fall with the learning rate; here lr·λ·w is subtracted, so
   * λ = λ' / 0.1.
   */
  'bsr-net': {
    epochs: 200,
    model: 'vgg16-bsr',
    method: 'bsr-net',
    objective: 'at',
    settings: ({ dataset, model, objective }) => ({
      ...SGD,
      sparsity: 0.99,
      distribution: 'bsr-net',
      firstStageDensity: model.startsWith('wrn') ? 0.1 : 0.2,
      weightNoise: 1e-6,
      // It shifts and flips the digits of SVHN too.
      ...(isSmallPhotos(dataset) && { augment: 'shift-flip' }),
      ...HALF_AND_THREE_QUARTERS,
      weightDecay: (objective === 'at' || objective === 'mat' || objective === 'natural' ? 1e-3 : 5e-4) / SGD.lr,
      weightDecayMode: 'decoupled',
      beta: 6,
      extraShare: 0.5,
    }),
  },
  /** Evci et al. (2020), the CIFAR-10 experiment of google-research/rigl: training is not adversarial there. */
  rigl: {
    epochs: 250,
    model: 'wrn-22-2',
    method: 'rigl',
    objective: 'natural',
    settings: ({ epochs, method }) => ({
      ...SGD,
      nesterov: true,
      sparsity: 0.9,
      distribution: 'erk',
      denseFirstConv: true,
      dropFraction: 0.3,
      updateInterval: 100,
      updateEnd: RIGL_END,
      // Its SET takes both.
      maskUpdate: method === 'rigl' ? 'instead-of-step' : 'after-step',
      schedule: 'step',
      decayEvery: Math.max(1, Math.round(RIGL_DROP * epochs)),
      decayFactor: 0.2,
      weightDecay: 5e-4,
      weightDecayScope: 'kernels',
    }),
  },
  /** Liu et al. (2021), as Shiweiliuiiiiiii/In-Time-Over-Parameterization; SET-ITOP by the method. Not adversarial there. */
  itop: {
    epochs: 250,
    model: 'vgg16',
    method: 'rigl-itop',
    objective: 'natural',
    settings: ({ dataset }) => ({
      ...SGD,
      ...ITOP_NORMALIZATION[dataset],
      nesterov: true,
      sparsity: 0.95,
      distribution: 'erk',
      ...HALF_AND_THREE_QUARTERS,
      weightDecay: 5e-4,
    }),
  },
  /** Rice et al. (2020), as locuslab/robust_overfitting: a dense network, whose robust accuracy overfits after the first fall. */
  rice2020: {
    epochs: 200,
    model: 'preactresnet18',
    method: 'dense',
    objective: 'at',
    settings: ({ dataset }) => ({
      ...SGD,
      ...RICE_NORMALIZATION[dataset],
      ...(dataset === 'svhn' && { lr: 0.01, augment: 'none' }),
      ...HALF_AND_THREE_QUARTERS,
      weightDecay: 5e-4,
      attackBn: 'train',
    }),
  },
  /**
   * Ours, for a robust sparse network in hours on a processor: one attack step (de Jorge et al. 2022), a one-cycle schedule
   * (Smith and Topin 2018) and averaged weights. `scripts/fast-recipe.ts` compares it with its alternatives.
   */
  fast: {
    epochs: 30,
    model: 'vgg16',
    method: 'rigl',
    objective: 'at',
    settings: () => ({
      ...SGD,
      sparsity: 0.95,
      distribution: 'uniform',
      trainingAttack: 'n-fgsm',
      schedule: 'one-cycle',
      weightDecay: 5e-4,
      ema: 0.999,
    }),
  },
};

/** What a recipe says under the settings given; some of it may not apply to them. */
export function settingsOfRecipe(name: RecipeName, given: TrainOptions): TrainOptions {
  const recipe = recipes[name];
  const { dataset = 'cifar10', epochs = recipe.epochs, objective = recipe.objective } = given;
  const { method = recipe.method } = given;
  const own = isSmallPhotos(dataset) ? { model: recipe.model } : {};
  const { model = '' } = { ...own, ...given };
  const settings = recipe.settings({ dataset, epochs, model, method, objective });
  return {
    dataset,
    epochs,
    objective,
    ...own,
    ...(method !== 'dense' && { method }),
    ...settings,
    // Given weights go on in the network that they are of.
    ...(given.from !== undefined && { mean: undefined, std: undefined }),
  };
}

/** True if a data set has the images that the networks of the papers are made for. */
function isSmallPhotos(dataset: keyof typeof datasets): boolean {
  const { source } = datasets[dataset];
  return source.kind === 'files' && source.imageShape.join() === '32,32,3';
}
