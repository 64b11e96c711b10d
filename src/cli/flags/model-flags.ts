// The flags that say how a model is loaded and given images.
import { type Reading, STEMS, type StemName } from '../../checkpoints/pytorch/reading.ts';
import { UsageError } from '../../core/errors.ts';
import { datasetNames } from '../../data/sets/datasets.ts';
import type { ModelOptions } from '../../evaluation/options.ts';
import { CHECKPOINTS } from '../../evaluation/targets/checkpoint-names.ts';
import type { ChannelOrder, Layout, Preprocessing } from '../../evaluation/targets/preprocessing.ts';
import type { ModelSource } from '../../evaluation/targets/target.ts';
import { ACTIVATIONS, type ActivationName } from '../../ops/activations.ts';
import type { Positional } from '../command.ts';
import type { Flags, FlagValues } from './flags.ts';

/** The model, beside the flags. */
export const TARGET: Positional = {
  name: 'target',
  description: "a run's folder, a checkpoint or another model",
  required: false,
  value: 'PATH',
};

/** Flags that choose the model, the images, and how the model takes images. */
export const MODEL_FLAGS = {
  module: { kind: 'text', value: 'FILE', description: 'an ES module that exports a classifier; it is run' },
  checkpoints: {
    kind: 'texts',
    suggestions: CHECKPOINTS,
    description: "which of a run's checkpoints (best, last, ema); default: all that it keeps",
  },
  dataset: {
    kind: 'text',
    choices: datasetNames,
    description: 'data set whose test images to use; default: that of training',
  },
  names: {
    kind: 'text',
    group: 'Model',
    value: 'FILE',
    description: "JSON or YAML file that maps the model's names of weights to the expected names",
  },
  stem: {
    kind: 'text',
    group: 'Model',
    choices: Object.keys(STEMS),
    description: 'start of a ResNet of PyTorch: cifar, imagenet, stride-2 or max-pool',
  },
  pools: {
    kind: 'numbers',
    group: 'Model',
    integer: true,
    description: 'convolutions of a VGG of PyTorch that a 2×2 max pool follows, such as 2,4,7,10,13',
  },
  activation: {
    kind: 'text',
    group: 'Model',
    choices: ACTIVATIONS,
    description: 'activation of a network of PyTorch: relu (default), silu, gelu, …',
  },
  'expect-logits': {
    kind: 'text',
    group: 'Model',
    value: 'FILE',
    description: 'safetensors file of images and their logits; stop if the model gives other logits',
  },
  bounds: {
    kind: 'numbers',
    group: 'Model',
    description: 'lowest and highest pixel that the model takes: 0,255, or --bounds=-1,1',
  },
  mean: {
    kind: 'numbers',
    group: 'Model',
    description: 'what is subtracted from pixels after that, one number for each channel',
  },
  std: {
    kind: 'numbers',
    group: 'Model',
    description: 'what pixels are divided by after that, one number for each channel',
  },
  channels: {
    kind: 'text',
    group: 'Model',
    choices: ['rgb', 'bgr'],
    description: 'order of the channels that the model takes: rgb (default) or bgr',
  },
  layout: {
    kind: 'text',
    group: 'Model',
    choices: ['nhwc', 'nchw'],
    description: 'order of the axes that the model takes: nhwc (default) or nchw',
  },
  classes: {
    kind: 'text',
    group: 'Model',
    description: "JSON file, or list such as 0,2,3: the model's output for each class; the others are left out",
  },
  'label-offset': {
    kind: 'number',
    group: 'Model',
    integer: true,
    description: "index of the model's output for the first class, from 0",
  },
} as const satisfies Flags;

type Values = FlagValues<typeof MODEL_FLAGS> & { readonly data?: string };

/** @throws UsageError unless either a path or a module is given */
export function modelSource(path: string | undefined, module: string | undefined): ModelSource {
  if (path !== undefined && module !== undefined) {
    throw new UsageError(`Both ${path} and --module ${module} name a model. Give one of them.`);
  }
  if (module !== undefined) return { module };
  if (path !== undefined) return path;
  throw new UsageError(
    "Expected a target, got none. Give a run's folder, a checkpoint or another model, or --module FILE.",
  );
}

export const modelOptions = (flags: Values): ModelOptions => ({
  // The library checks the names.
  checkpoints: flags.checkpoints as ModelOptions['checkpoints'],
  dataset: flags.dataset,
  dataDirectory: flags.data,
  names: flags.names,
  classes: flags.classes,
  reading: readingOf(flags),
  expectLogits: flags['expect-logits'],
  preprocessing: preprocessingOf(flags),
});

/** What the flags say of a network whose weights do not; the library checks the words. */
export const readingOf = ({ stem, pools, activation }: Pick<Values, 'stem' | 'pools' | 'activation'>): Reading => ({
  ...(stem === undefined ? {} : { stem: stem as StemName }),
  ...(pools === undefined ? {} : { pools }),
  ...(activation === undefined ? {} : { activation: activation as ActivationName }),
});

function preprocessingOf({ bounds, mean, std, channels, layout, 'label-offset': labelOffset }: Values): Preprocessing {
  return {
    // The library checks that there are two of them, and what the words are.
    ...(bounds === undefined ? {} : { bounds: bounds as unknown as readonly [number, number] }),
    ...(mean === undefined ? {} : { mean }),
    ...(std === undefined ? {} : { std }),
    ...(channels === undefined ? {} : { channels: channels.toLowerCase() as ChannelOrder }),
    ...(layout === undefined ? {} : { layout: layout.toLowerCase() as Layout }),
    ...(labelOffset === undefined ? {} : { labelOffset }),
  };
}
