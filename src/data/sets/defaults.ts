// Settings that are customary for kinds of images.
import type { DatasetDefaults } from '../types.ts';

/** Customary for CIFAR and SVHN: small colour photographs. */
export const PHOTO_DEFAULTS: DatasetDefaults = {
  epsilon: { linf: 8 / 255, l2: 0.5, l1: 12 },
  steps: 10,
  stepSize: 2 / 255,
  model: 'resnet18',
  epochs: 100,
  batchSize: 128,
  lr: 0.1,
  augment: 'shift-flip',
};

/** Customary for MNIST and sets of its shape. */
export const DIGIT_DEFAULTS: DatasetDefaults = {
  epsilon: { linf: 0.3, l2: 2, l1: 10 },
  steps: 40,
  stepSize: 0.01,
  model: 'cnn',
  epochs: 30,
  batchSize: 128,
  lr: 0.02,
  augment: 'none',
};

export const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
