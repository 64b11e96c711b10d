// VGG16, and the variant of it in the code of BSR-Net.
import type { Layer, Program } from '../ops/network.ts';
import {
  batchNorm,
  checkOptions,
  consecutive,
  conv,
  dense,
  flatten,
  globalAveragePool,
  halve,
  program,
  relu,
  scaled,
} from './layers.ts';
import type { ModelBuilder, ModelOptions } from './types.ts';

/** The filters of VGG16's thirteen convolutions, block by block (Simonyan and Zisserman 2015, configuration D). */
const BLOCKS = [
  [64, 64],
  [128, 128],
  [256, 256, 256],
  [512, 512, 512],
  [512, 512, 512],
] as const;

/** The channels of a VGG network, as they stand. */
export interface VggChannels {
  readonly blocks: readonly (readonly number[])[];
  /** Units of the fully connected layers before the last. */
  readonly hidden: readonly number[];
}

/** Convolutions conv1, conv2, … with batch norm, 2×2 max pooling after a block; `poolLast` says whether after the last. */
function features(inputs: number, blocks: readonly (readonly number[])[], poolLast: boolean): Layer[] {
  const ends = blocks.map((_, i) => blocks.slice(0, i + 1).flat().length);
  if (!poolLast) ends.pop();
  return consecutive(inputs, blocks.flat()).flatMap(([before, after], i) => [
    conv(`conv${i + 1}`, before, after),
    batchNorm(`bn${i + 1}`, after),
    relu,
    ...(ends.includes(i + 1) ? [halve] : []),
  ]);
}

const scaledBlocks = (width: number): number[][] =>
  BLOCKS.map((block) => block.map((channels) => scaled(channels, width)));

/**
 * VGG16 with batch norm for CIFAR: thirteen convolutions, five poolings, one fully connected layer 512 → classes
 * (14,724,042 trainable parameters at 10 classes, 3 channels).
 */
export const vgg16: ModelBuilder = (options) => {
  checkOptions(options);
  const blocks = scaledBlocks(options.width);
  return program('vgg16', options, [
    ...features(options.inputShape[2], blocks, true),
    globalAveragePool,
    dense('dense14', blocks[4][2], options.classes),
  ]);
};

/** A VGG network with the head of BSR-Net and given channels: no pooling after the last block, flatten, dense layers. */
export function vggBsr(options: ModelOptions, { blocks, hidden }: VggChannels): Program {
  checkOptions(options);
  const [height, width, channels] = options.inputShape;
  const shrunk = (extent: number) => Math.floor(extent / 2 ** (blocks.length - 1));
  const convolutions = blocks.flat();
  const flat = shrunk(height) * shrunk(width) * convolutions[convolutions.length - 1];
  const head = consecutive(flat, [...hidden, options.classes]).flatMap(([inputs, units], i): Layer[] => [
    ...(i === 0 ? [] : [relu]),
    dense(`dense${convolutions.length + 1 + i}`, inputs, units),
  ]);
  return program('vgg16-bsr', options, [...features(channels, blocks, false), flatten, ...head]);
}

/**
 * VGG16 as in BSR-Net (Özdenizci and Legenstein 2021): four poolings, then fully connected layers 2048-256-256-classes
 * (15,311,818 trainable parameters at 10 classes, 32×32×3 images).
 */
export const vgg16Bsr: ModelBuilder = (options) =>
  vggBsr(options, {
    blocks: scaledBlocks(options.width),
    hidden: [scaled(256, options.width), scaled(256, options.width)],
  });
