// LeNet-5, the convolutional network for digits.
import { checkOptions, dense, flatten, halve, program, relu, scaled } from './layers.ts';
import type { ModelBuilder } from './types.ts';

/**
 * LeNet-5 in the form that pruning papers use (Caffe's, 20-50-500): 431,080 parameters on 28×28 digits.
 *
 * Two 5×5 convolutions without padding, each followed by max pooling, and two fully connected layers.
 */
export const lenet5: ModelBuilder = (options) => {
  checkOptions(options);
  const [height, width, channels] = options.inputShape;
  const [first, second, units] = [20, 50, 500].map((count) => scaled(count, options.width));
  const shrink = (extent: number) => Math.floor((extent - 4) / 2);
  const unpadded = (name: string, inputs: number, filters: number) =>
    ({ kind: 'conv', name, inputs, filters, size: 5, stride: 1, padding: 0, bias: true }) as const;
  return program('lenet5', options, [
    unpadded('conv1', channels, first),
    relu,
    halve,
    unpadded('conv2', first, second),
    relu,
    halve,
    flatten,
    dense('fc3', shrink(shrink(height)) * shrink(shrink(width)) * second, units),
    relu,
    dense('fc4', units, options.classes),
  ]);
};
