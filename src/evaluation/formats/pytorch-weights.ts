import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { paramOf } from '../../checkpoints/network.ts';
import { decodeSafetensors, type StoredTensor } from '../../checkpoints/safetensors.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import type { Param } from '../../core/params.ts';
import { sizeOf } from '../../core/structure.ts';
import { fromPytorch, type PytorchTensor, pytorchTensors } from '../../models/index.ts';
import type { Layer, Program } from '../../ops/network.ts';
import { type Architecture, type Renames, recogniseArchitecture } from './architectures.ts';
import { sha256Of } from './digest.ts';
import { floatsOf } from './floats.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';
import { modelOfNetwork } from './network.ts';

/**
 * The state dict of a ResNet, WRN or VGG in PyTorch, saved by `safetensors.torch.save_file`. Which network it is follows
 * from the names and shapes of its weights.
 */
export const pytorchWeights: ModelFormat = {
  description: 'a .safetensors file with the state dict of a ResNet, WRN or VGG in PyTorch',
  recognises: ({ metadata }) => metadata !== undefined,
  load,
};

async function load({ path, images, names }: LoadRequest): Promise<LoadedModel> {
  const bytes = new Uint8Array(await readFile(path));
  const { tensors } = decodeSafetensors(bytes, path);
  if (images === null) {
    throw new UsageError(
      `${path} holds weights, which do not say what images they are for: name a data set with --dataset.`,
    );
  }
  const { state, notes } = stateDict(tensors);
  const shapes = new Map(Object.entries(state).map(([name, { shape }]) => [name, shape]));
  const renames = names === undefined ? {} : await readNames(names);
  const { name, program, nameInFile } = recogniseArchitecture(shapes, renames, images.imageShape);
  const entry = (key: string): StoredTensor | undefined => state[nameInFile.get(key) ?? ''];
  const values = readTensors(path, { name, program }, entry);
  refuseLeftOvers(path, name, program, nameInFile);
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
    [`${basename(path)} was read as a ${name} of PyTorch.`, ...notes],
  );
}

const namesSchema = z.record(z.string(), z.string());

/** @throws InputError if it is no record of names */
async function readNames(path: string): Promise<Renames> {
  let record: unknown;
  try {
    const { parse } = await import('yaml');
    record = parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new InputError(`--names takes a JSON or YAML file; ${path} cannot be read: ${(error as Error).message}`);
  }
  const { success, data } = namesSchema.safeParse(record);
  if (success) return data;
  throw new InputError(
    `--names takes a record of the file's names and those expected, such as {"stem.0": "conv1"}; ${path} holds something else.`,
  );
}

/** Last parts of the names of buffers that normalise images inside a model. */
const NORMALISATION = /(^|\.)(mean|std|mu|sigma|image_mean|image_std)$/;

/** The weights among the entries, without counters and what training code keeps beside them. */
function stateDict(tensors: Readonly<Record<string, StoredTensor>>): {
  state: Readonly<Record<string, StoredTensor>>;
  notes: readonly string[];
} {
  const entries = Object.entries(tensors);
  const normalising = entries.filter(([name, { shape }]) => NORMALISATION.test(name) && sizeOf(shape) <= 4);
  const state = entries.filter(
    ([name, { dtype }]) =>
      !name.endsWith('num_batches_tracked') &&
      // A copy of the first block in TRADES' wide residual network, which nothing uses.
      !/(^|\.)sub_block1\./.test(name) &&
      !normalising.some(([other]) => other === name) &&
      dtype !== 'BOOL',
  );
  const notes = normalising.map(
    ([name, tensor]) =>
      `It holds ${name} = ${Array.from(floatsOf(tensor), (value) => Number(value.toFixed(4))).join(',')}, with which it may normalise images; give --mean and --std if so.`,
  );
  return { state: Object.fromEntries(state), notes };
}

/** Every tensor of a network in our layout; the bias of a convolution before batch norm goes into its running mean. */
function readTensors(
  path: string,
  { name: model, program }: Pick<Architecture, 'name' | 'program'>,
  entry: (key: string) => StoredTensor | undefined,
): Readonly<Record<string, Float32Array>> {
  const declared = pytorchTensors(program);
  const values = Object.fromEntries(declared.map((tensor) => [tensor.name, readTensor(path, model, tensor, entry)]));
  for (const [conv, norm] of normalised(program.layers)) {
    const kernel = declared.find(({ name }) => name === `${conv}.kernel`);
    const bias = kernel && entry(kernel.key.replace(/weight$/, 'bias'));
    if (!bias) continue;
    const shift = floatsOf(bias);
    const mean = values[`${norm}.moving_mean`];
    values[`${norm}.moving_mean`] = mean.map((value, i) => value - shift[i]);
  }
  return values;
}

function readTensor(
  path: string,
  model: string,
  { key, layout }: PytorchTensor,
  entry: (key: string) => StoredTensor | undefined,
): Float32Array {
  const stored = entry(key);
  if (stored === undefined) {
    throw new InputError(
      `${path} looks like a ${model} but has no ${key} [${layout.shape.join(', ')}]. If it is there under another name, say so with --names; else wrap the model with --module.`,
    );
  }
  if (String(stored.shape) !== String(layout.shape)) {
    throw new InputError(
      `${path} looks like a ${model}, whose ${key} is [${layout.shape.join(', ')}]; it has [${stored.shape.join(', ')}]. Wrap the model with --module.`,
    );
  }
  return fromPytorch(floatsOf(stored), layout);
}

/** Convolutions without bias, each with the batch norm that follows it. */
function* normalised(layers: readonly Layer[]): Generator<readonly [conv: string, norm: string]> {
  for (const [i, layer] of layers.entries()) {
    const next = layers[i + 1];
    if (layer.kind === 'residual') {
      yield* normalised(layer.body);
      yield* normalised(layer.shortcut);
    } else if (layer.kind === 'conv' && !layer.bias && next?.kind === 'batchNorm') yield [layer.name, next.name];
  }
}

/** Weights that the network does not have would change what it computes. */
function refuseLeftOvers(path: string, model: string, program: Program, names: ReadonlyMap<string, string>): void {
  const used = new Set(pytorchTensors(program).map(({ key }) => key));
  const foldable = new Set(
    [...normalised(program.layers)].flatMap(([conv]) =>
      pytorchTensors(program).flatMap(({ name, key }) =>
        name === `${conv}.kernel` ? [key.replace(/weight$/, 'bias')] : [],
      ),
    ),
  );
  const left = [...names].filter(([name]) => !used.has(name) && !foldable.has(name)).map(([, inFile]) => inFile);
  if (left.length === 0) return;
  throw new InputError(
    `${path} looks like a ${model} but also has ${left.slice(0, 5).join(', ')}${left.length > 5 ? ', …' : ''}, which a ${model} has not. Wrap the model with --module.`,
  );
}
