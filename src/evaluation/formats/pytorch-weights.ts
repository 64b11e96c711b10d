// State dicts of PyTorch, which do not say what network they are of: it is told by their names and shapes.
import { basename } from 'node:path';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { paramOf } from '../../checkpoints/exchange/network.ts';
import { sha256Of } from '../../checkpoints/files/digest.ts';
import { largestWeights, readWhole } from '../../checkpoints/files/inside.ts';
import type { Renames } from '../../checkpoints/pytorch/architectures.ts';
import { readStateDict } from '../../checkpoints/pytorch/state-dict.ts';
import { decodeSafetensors } from '../../checkpoints/safetensors/safetensors.ts';
import { InputError, messageOf, UsageError } from '../../core/errors.ts';
import type { Param } from '../../core/params.ts';
import { LARGEST_YAML, yamlValue } from '../../core/parse-yaml.ts';
import { systemReason } from '../../core/system-errors.ts';
import { readText } from '../../files/regular-file.ts';
import { pytorchTensors } from '../../models/pytorch.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';
import { modelOfNetwork } from './network.ts';

/**
 * The state dict of a ResNet, WRN or VGG in PyTorch, saved by `safetensors.torch.save_file`. Which network it is follows
 * from the names and shapes of its weights.
 */
export const pytorchWeights: ModelFormat = {
  description: 'a .safetensors file with the state dict of a ResNet, WRN or VGG in PyTorch',
  recognises: ({ metadata }) => metadata !== undefined,
  readsWeights: true,
  load,
};

async function load({ path, images, names, reading }: LoadRequest): Promise<LoadedModel> {
  const bytes = await readWhole(path, largestWeights());
  const { tensors } = decodeSafetensors(bytes, path);
  if (images === null) {
    throw new UsageError(
      `${path} holds weights, which do not say what images they are for: name a data set with --dataset.`,
    );
  }
  const renames = names === undefined ? {} : await readNames(names);
  const { program, values, notes } = readStateDict(tensors, path, { images: images.imageShape, renames, reading });
  const params: Record<string, Param> = {};
  const statistics: Record<string, Tensor> = {};
  for (const { name: ours, shape, statistic } of pytorchTensors(program)) {
    if (statistic) statistics[ours] = tf.tensor(values[ours], [...shape]);
    else params[ours] = paramOf(ours, shape, values[ours], null);
  }
  return modelOfNetwork(
    { program, params, state: statistics },
    {
      checkpoint: basename(path, '.safetensors'),
      sha256: sha256Of(bytes),
      bytes: bytes.length,
      epoch: null,
      step: null,
    },
    {},
    notes,
  );
}

const namesSchema = z.record(z.string(), z.string());

/** @throws InputError if it is no record of names */
export async function readNames(path: string): Promise<Renames> {
  let record: unknown;
  try {
    record = await yamlValue(await readText(path, LARGEST_YAML));
  } catch (error) {
    const why = systemReason(error) ?? messageOf(error);
    throw new InputError(`--names takes a JSON or YAML file; ${path} cannot be read: ${why}.`, {
      cause: error,
    });
  }
  const { success, data } = namesSchema.safeParse(record);
  if (success) return data;
  throw new InputError(
    `--names takes a record of the file's names and those expected, such as {"stem.0": "conv1"}; ${path} holds something else.`,
  );
}
