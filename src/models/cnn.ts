import { batchNorm, checkOptions, consecutive, conv, dense, flatten, halve, program, relu, scaled } from './layers.ts';
import type { ModelBuilder } from './types.ts';

/**
 * A small network for digits and CIFAR that trains in minutes on a laptop: three 3×3 convolutions of 32, 64 and 128
 * filters, each with batch norm, ReLU and 2×2 max pooling, then one fully connected layer.
 */
export const cnn: ModelBuilder = (options) => {
  checkOptions(options);
  const [height, width, channels] = options.inputShape;
  const filters = [32, 64, 128].map((count) => scaled(count, options.width));
  const blocks = consecutive(channels, filters).flatMap(([inputs, outputs], i) => [
    conv(`conv${i + 1}`, inputs, outputs),
    batchNorm(`bn${i + 1}`, outputs),
    relu,
    halve,
  ]);
  const features = Math.floor(height / 8) * Math.floor(width / 8) * filters[2];
  return program('cnn', options, [...blocks, flatten, dense('fc', features, options.classes)]);
};
