// The table of models.
import { didYouMean, suggestion } from '../core/did-you-mean.ts';
import { InputError, UsageError } from '../core/errors.ts';
import type { KnownName } from '../core/known-name.ts';
import { plural } from '../core/quantities.ts';
import type { Program } from '../ops/network.ts';
import { cnn } from './cnn.ts';
import { parameterCounts } from './inspect.ts';
import { lenet5 } from './lenet5.ts';
import { lenet300, mlp } from './mlp.ts';
import { preactresnet18 } from './preact-resnet.ts';
import { resnet18, resnet34, resnet50 } from './resnet.ts';
import type { ModelBuilder, ModelOptions, Normalization } from './types.ts';
import { vgg16, vgg16Bsr } from './vgg.ts';
import { wideResnet } from './wide-resnet.ts';

/** Every model by name; `buildModel` also takes any other wrn-DEPTH-WIDEN. */
export const models = {
  mlp,
  cnn,
  lenet300,
  lenet5,
  vgg16,
  'vgg16-bsr': vgg16Bsr,
  resnet18,
  resnet34,
  resnet50,
  preactresnet18,
  'wrn-16-4': wideResnet(16, 4),
  'wrn-28-2': wideResnet(28, 2),
  'wrn-28-4': wideResnet(28, 4),
  'wrn-28-10': wideResnet(28, 10),
  'wrn-34-10': wideResnet(34, 10),
} satisfies Record<string, ModelBuilder>;

/** The names of the models. */
export type ModelName = keyof typeof models;

/** A name that `buildModel` takes: of a row above, or of a wide ResNet of any depth and width. */
export type NetworkName = ModelName | `wrn-${number}-${number}`;

/** A network of more weights does not fit into memory, dense. */
const MOST_WEIGHTS = 2 ** 29;

const WIDE_RESNET = /^wrn-(\d+)-(\d+)$/;

/**
 * The builder of a model by its name, such as `resnet18` or `wrn-22-2`.
 *
 * @throws UsageError listing the names if there is none
 */
export function modelBuilder(name: string): ModelBuilder {
  if (Object.hasOwn(models, name)) return models[name as ModelName];
  const wide = WIDE_RESNET.exec(name);
  if (wide) return wideResnet(Number(wide[1]), Number(wide[2]));
  throw new UsageError(`There is no model ${name}.${modelHint(name)}`);
}

/** True if there is a model of this name. */
export const isModel = (name: string): name is NetworkName => Object.hasOwn(models, name) || WIDE_RESNET.test(name);

/** The names of models, for a message about another name. */
export const modelHint = (name: string): string => {
  const names = Object.keys(models);
  return `${suggestion(didYouMean(name, names))} Models are ${names.join(', ')} and wrn-DEPTH-WIDEN.`;
};

/**
 * The network of a model by its name, normalising its images first where the options say so.
 *
 * @throws UsageError if there is no such model; InputError if the images are too small or an option is out of range
 */
export function buildModel<Name extends string>(name: KnownName<Name, NetworkName>, options: ModelOptions): Program {
  const program = modelBuilder(name)(options);
  const { trainable } = parameterCounts(program);
  if (!(trainable <= MOST_WEIGHTS)) {
    throw new InputError(
      `A ${name} of width ${options.width} has ${trainable} weights for images [${options.inputShape}]; expected at most ${MOST_WEIGHTS}. Choose a smaller width.`,
    );
  }
  const { normalize } = options;
  if (normalize === undefined) return program;
  checkNormalization(normalize, options.inputShape[2]);
  return { ...program, layers: [{ kind: 'normalize', ...normalize }, ...program.layers] };
}

/** @throws InputError unless there is a mean and a deviation above 0 for each channel */
function checkNormalization({ mean, std }: Normalization, channels: number): void {
  if ([mean, std].some(({ length }) => length !== channels)) {
    throw new InputError(
      `Normalising images of ${plural(channels, 'channel')} needs one mean and one standard deviation per channel, got ${mean.length} and ${std.length}.`,
    );
  }
  if (![...mean, ...std].every(Number.isFinite) || std.some((value) => value <= 0)) {
    throw new InputError(`Means must be finite numbers and standard deviations above 0, got ${mean} and ${std}.`);
  }
}
