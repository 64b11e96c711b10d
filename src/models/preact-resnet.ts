// The pre-activation ResNet-18.
import type { Layer } from '../ops/network.ts';
import { batchNorm, checkOptions, conv, dense, globalAveragePool, program, relu, scaled } from './layers.ts';
import { preactivationBlock } from './preactivation.ts';
import type { ModelBuilder } from './types.ts';

/**
 * Pre-activation ResNet-18 for CIFAR, the network of Rice et al. (2020): a 3×3 stem, four stages of two blocks with 64, 128,
 * 256 and 512 channels, and batch norm before the global average; 11,172,170 trainable parameters at 10 classes.
 */
export const preactresnet18: ModelBuilder = (options) => {
  checkOptions(options);
  let inputs = scaled(64, options.width);
  const layers: Layer[] = [conv('conv1', options.inputShape[2], inputs)];
  for (const stage of [1, 2, 3, 4]) {
    const outputs = scaled(64 * 2 ** (stage - 1), options.width);
    for (const i of [0, 1]) {
      const stride = stage > 1 && i === 0 ? 2 : 1;
      layers.push(...preactivationBlock(`layer${stage}.${i}`, { inputs, outputs, stride, shortcut: 'shortcut.0' }));
      inputs = outputs;
    }
  }
  return program('preactresnet18', options, [
    ...layers,
    batchNorm('bn', inputs),
    relu,
    globalAveragePool,
    dense('linear', inputs, options.classes),
  ]);
};
