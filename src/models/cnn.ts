// A small convolutional network for digits.
import { batchNorm, checkOptions, conv, dense, flatten, halve, program, relu, scaled } from './layers.ts';
import type { ModelBuilder } from './types.ts';

/**
 * A small network for digits and CIFAR that trains in minutes on a laptop: three 3×3 convolutions of 32, 64 and 128
 * filters, the first and last of stride 2, each with batch norm and ReLU; 2×2 max pooling; and one fully connected layer
 * behind a batch norm of its own, without which high learning rates kill it.
 */
export const cnn: ModelBuilder = (options) => {
  checkOptions(options);
  const [height, width, channels] = options.inputShape;
  const [first, second, third] = [32, 64, 128].map((count) => scaled(count, options.width));
  const pooled = (extent: number): number => Math.floor(Math.ceil(extent / 4) / 2);
  const features = pooled(height) * pooled(width) * third;
  return program('cnn', options, [
    ...[conv('conv1', channels, first, 3, 2), batchNorm('bn1', first), relu],
    ...[conv('conv2', first, second), batchNorm('bn2', second), relu],
    ...[conv('conv3', second, third, 3, 2), batchNorm('bn3', third), relu],
    ...[halve, flatten, batchNorm('bn4', features), dense('fc', features, options.classes)],
  ]);
};
