import { UsageError } from '../core/errors.ts';
import type { Program } from '../ops/network.ts';
import { cnn } from './cnn.ts';
import { lenet5 } from './lenet5.ts';
import { lenet300, mlp } from './mlp.ts';
import { resnet18, resnet34, resnet50 } from './resnet.ts';
import type { ModelBuilder, ModelOptions } from './types.ts';
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
  'wrn-16-4': wideResnet(16, 4),
  'wrn-28-2': wideResnet(28, 2),
  'wrn-28-4': wideResnet(28, 4),
  'wrn-28-10': wideResnet(28, 10),
  'wrn-34-10': wideResnet(34, 10),
} satisfies Record<string, ModelBuilder>;

export type ModelName = keyof typeof models;

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
  throw new UsageError(
    `There is no model ${name}; choose one of ${Object.keys(models).join(', ')} or wrn-DEPTH-WIDEN.`,
  );
}

/**
 * The network of a model by its name.
 *
 * @throws UsageError if there is no such model; InputError if the images are too small or an option is out of range
 */
export const buildModel = (name: string, options: ModelOptions): Program => modelBuilder(name)(options);
