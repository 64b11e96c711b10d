import type { NormName } from '../../attacks/types.ts';

/** What a run takes from its data set unless it is told otherwise. */
export interface DatasetDefaults {
  /** Radius by norm, in pixel units of [0, 1]; null where none is customary and one must be given. */
  readonly epsilon: Readonly<Record<NormName, number | null>>;
  /** Steps of the training attack. */
  readonly steps: number;
  /** Step of the linf training attack at the radius above; null: 2.5 · epsilon / steps. */
  readonly stepSize: number | null;
  readonly model: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly augment: 'none' | 'shift' | 'shift-flip';
}

const CIFAR: DatasetDefaults = {
  epsilon: { linf: 8 / 255, l2: 0.5, l1: 12 },
  steps: 10,
  stepSize: 2 / 255,
  model: 'resnet18',
  epochs: 100,
  batchSize: 128,
  lr: 0.1,
  augment: 'shift-flip',
};

const MNIST: DatasetDefaults = {
  epsilon: { linf: 0.3, l2: 2, l1: 10 },
  steps: 40,
  stepSize: 0.01,
  model: 'cnn',
  epochs: 30,
  batchSize: 128,
  lr: 0.05,
  augment: 'none',
};

/** The radii and training attacks that are customary for each data set. */
export const DATASET_DEFAULTS = {
  cifar10: CIFAR,
  cifar100: CIFAR,
  svhn: { ...CIFAR, augment: 'shift' },
  mnist: MNIST,
  'fashion-mnist': MNIST,
  mnist10k: {
    ...MNIST,
    epsilon: { linf: 0.1, l2: 1, l1: 5 },
    steps: 7,
    stepSize: 0.025,
    epochs: 20,
    batchSize: 64,
  },
  folder: {
    ...CIFAR,
    epsilon: { linf: 4 / 255, l2: 3, l1: null },
    stepSize: null,
    batchSize: 32,
  },
  synthetic: {
    ...MNIST,
    epsilon: { linf: 0.1, l2: 1, l1: 5 },
    steps: 7,
    stepSize: 0.025,
    model: 'mlp',
    epochs: 5,
    batchSize: 32,
  },
} as const satisfies Readonly<Record<string, DatasetDefaults>>;

export type DatasetName = keyof typeof DATASET_DEFAULTS;
