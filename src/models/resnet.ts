// ResNet-18, 34 and 50 for small images.
import type { Layer } from '../ops/network.ts';
import { batchNorm, checkOptions, conv, dense, globalAveragePool, program, relu, scaled } from './layers.ts';
import type { ModelBuilder } from './types.ts';

interface Block {
  readonly name: string;
  readonly inputs: number;
  /** Number of channels of its 3×3 convolutions. */
  readonly channels: number;
  readonly outputs: number;
  readonly stride: number;
}

const convNormRelu = (name: string, i: number, inputs: number, outputs: number, size: number, stride: number) => [
  conv(`${name}.conv${i}`, inputs, outputs, size, stride),
  batchNorm(`${name}.bn${i}`, outputs),
  relu,
];

/** Two 3×3 convolutions. */
const basic = ({ name, inputs, channels, outputs, stride }: Block): Layer[] =>
  [...convNormRelu(name, 1, inputs, channels, 3, stride), ...convNormRelu(name, 2, channels, outputs, 3, 1)].slice(
    0,
    -1,
  );

/** 1×1, 3×3 and 1×1 convolutions, the last with four times the channels. */
const bottleneck = ({ name, inputs, channels, outputs, stride }: Block): Layer[] =>
  [
    ...convNormRelu(name, 1, inputs, channels, 1, 1),
    ...convNormRelu(name, 2, channels, channels, 3, stride),
    ...convNormRelu(name, 3, channels, outputs, 1, 1),
  ].slice(0, -1);

/** The input itself, or a 1×1 convolution with batch norm where the shape changes. */
const shortcut = ({ name, inputs, outputs, stride }: Block): Layer[] =>
  stride === 1 && inputs === outputs
    ? []
    : [conv(`${name}.shortcut.0`, inputs, outputs, 1, stride), batchNorm(`${name}.shortcut.1`, outputs)];

/** A residual network for CIFAR: a 3×3 stem without pooling and four stages of 64, 128, 256 and 512 channels. */
const resnet = (
  name: string,
  body: (block: Block) => Layer[],
  expansion: number,
  stages: readonly [number, number, number, number],
): ModelBuilder => {
  return (options) => {
    checkOptions(options);
    const stem = scaled(64, options.width);
    const layers: Layer[] = [conv('conv1', options.inputShape[2], stem), batchNorm('bn1', stem), relu];
    let inputs = stem;
    stages.forEach((count, stage) => {
      const channels = scaled(64 * 2 ** stage, options.width);
      const outputs = expansion * channels;
      for (let i = 0; i < count; i++) {
        const stride = stage > 0 && i === 0 ? 2 : 1;
        const block = { name: `layer${stage + 1}.${i}`, inputs, channels, outputs, stride };
        layers.push({ kind: 'residual', body: body(block), shortcut: shortcut(block) }, relu);
        inputs = outputs;
      }
    });
    return program(name, options, [...layers, globalAveragePool, dense('linear', inputs, options.classes)]);
  };
};

/** ResNet-18 for CIFAR (He et al. 2016): 11,173,962 trainable parameters at 10 classes. */
export const resnet18 = resnet('resnet18', basic, 1, [2, 2, 2, 2]);
/** ResNet-34 for CIFAR: 21,282,122 trainable parameters at 10 classes. */
export const resnet34 = resnet('resnet34', basic, 1, [3, 4, 6, 3]);
/** ResNet-50 for CIFAR: 23,520,842 trainable parameters at 10 classes. */
export const resnet50 = resnet('resnet50', bottleneck, 4, [3, 4, 6, 3]);
