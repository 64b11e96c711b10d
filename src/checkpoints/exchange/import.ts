// Makes a checkpoint of a network of other software. Files are read by the same readers as for an evaluation.
import { stat } from 'node:fs/promises';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import { InputError, UsageError } from '../../core/errors.ts';
import { disposeParams, disposeTensors, sparsityOf } from '../../core/params.ts';
import { pathWord, shellCommand } from '../../core/shell.ts';
import { buildModel, models } from '../../models/models.ts';
import type { Normalization } from '../../models/types.ts';
import { runNetwork } from '../../ops/network.ts';
import { writeAtomically } from '../files/atomic-file.ts';
import { largestWeights, readWhole } from '../files/inside.ts';
import { BARE_RECORD, decodePytorch, saysItsNetwork } from '../pytorch/exported.ts';
import { readingFlags } from '../pytorch/reading.ts';
import { isSameProgram, type ReadNetwork, readStateDict, type StateDictOptions } from '../pytorch/state-dict.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../safetensors/encode.ts';
import { decodeSafetensors } from '../safetensors/safetensors.ts';
import { FORMAT, restoreCheckpoint } from '../safetensors/stored.ts';
import type { Checkpoint, ModelRecord } from '../types.ts';
import { checkExpectedLogits } from './expected-logits.ts';
import { decodeLayers } from './layers-file.ts';
import { checkpointOf, type Network, networkOnly } from './network.ts';
import { readSavedModel } from './saved-model.ts';

/** Options of importing a network. */
export interface ImportOptions extends StateDictOptions {
  /** The checkpoint to write. */
  readonly out: string;
  /** The network that a state dict belongs to; default: found from its weights. Kernels of mostly zeros become sparse. */
  readonly model?: ModelRecord;
  /** The normalisation of the network of a state dict. */
  readonly normalize?: Normalization;
  /** Safetensors file of images and logits that the network has to give. */
  readonly expectLogits?: string;
}

/** The checkpoint that an import wrote. */
export interface Imported {
  readonly model: ModelRecord;
  readonly sparsity: number;
  readonly bytes: number;
  /** Notes for the user about how the file was read. */
  readonly notes: readonly string[];
}

/**
 * Writes a checkpoint of a network of other software: what `exportModel` wrote, or a safetensors file with a state
 * dict of one of the supported networks. An export of Equipoise gives the same bits again.
 *
 * @param path a safetensors file, or a folder with a LayersModel
 * @throws InputError if there is nothing, it is damaged, it belongs to no known network, or its logits are not the
 * expected ones; nothing is written then
 */
export async function importModel(path: string, { out, expectLogits, ...options }: ImportOptions): Promise<Imported> {
  const { checkpoint, notes } = await readNetwork(path, options);
  try {
    const { model, params, state } = checkpoint;
    if (expectLogits !== undefined) {
      const program = buildModel(model.name, model);
      const classify = (images: Tensor4D): Tensor2D =>
        runNetwork(program, params, state, images, { training: false }).logits;
      await checkExpectedLogits(expectLogits, classify);
    }
    const bytes = await encodeCheckpoint(checkpoint, { half: false });
    await writeAtomically(out, bytes, { keepPrevious: true });
    return { model, sparsity: sparsityOf(params), bytes: bytes.length, notes };
  } finally {
    disposeParams(checkpoint.params);
    disposeTensors(checkpoint.state);
  }
}

interface Read {
  readonly checkpoint: Checkpoint;
  readonly notes: readonly string[];
}

async function readNetwork(path: string, options: Omit<ImportOptions, 'out' | 'expectLogits'>): Promise<Read> {
  const found = await stat(path).catch(() => null);
  if (found === null) {
    throw new InputError(`There is no ${path}. Give a .safetensors file, or the folder of a LayersModel.`);
  }
  if (found.isDirectory() || path.endsWith('.json')) {
    refuseOptions(path, options);
    return { checkpoint: checkpointOf(await decodeLayers(await readSavedModel(path), path)), notes: [] };
  }
  const bytes = await readWhole(path, largestWeights());
  const file = decodeSafetensors(bytes, path);
  if (file.metadata.format === FORMAT) {
    refuseOptions(path, options);
    return { checkpoint: restoreNetwork(bytes, path), notes: [] };
  }
  if (saysItsNetwork(file.metadata)) {
    refuseOptions(path, options);
    return { checkpoint: checkpointOf(decodePytorch(file, path)), notes: [] };
  }
  const images = options.model?.inputShape ?? options.images;
  const read = readStateDict(file.tensors, path, { ...options, ...(images && { images }) });
  return { checkpoint: checkpointOf(networkOf(path, read, options)), notes: read.notes };
}

/** @throws UsageError for options that describe a network where the file itself does */
function refuseOptions(path: string, { model, images, normalize, renames, reading }: Partial<ImportOptions>): void {
  const given = { model, images, normalize, renames, reading };
  const [name] = Object.entries(given).find(([, value]) => value !== undefined && Object.keys(value).length > 0) ?? [];
  if (name === undefined) return;
  throw new UsageError(`${path} says which network it holds, so no flag may describe it, got ${name}. Leave it out.`);
}

/** The network of a state dict with the record that builds the same network again. */
function networkOf(
  path: string,
  read: ReadNetwork,
  { model, normalize, reading = {} }: Pick<ImportOptions, 'model' | 'normalize' | 'reading'>,
): Network {
  const { name, width, program, values } = read;
  const { inputShape, classes } = program;
  const isIt = (record: ModelRecord): boolean => {
    try {
      return isSameProgram(buildModel(record.name, record), program);
    } catch {
      return false;
    }
  };
  const candidates = model
    ? [model]
    : [name, ...Object.keys(models)].map((one) => ({ name: one, width, inputShape, classes }));
  const record = candidates.find(isIt);
  if (record !== undefined) {
    return { record: { ...BARE_RECORD, model: { ...record, ...(normalize && { normalize }) } }, values };
  }
  if (model !== undefined) {
    throw new InputError(
      `${path} holds weights of a ${name} of width ${width}, images [${inputShape}] and ${classes} classes, got ${model.name} of width ${model.width}, images [${model.inputShape}] and ${model.classes} classes. Leave out --model to take what the weights say.`,
    );
  }
  throw new InputError(
    `${path} holds a ${name} that Equipoise can evaluate but not keep as a checkpoint, which holds networks as they are trained here. Evaluate the file itself: ${shellCommand('equipoise', 'evaluate', pathWord(path))} ${readingFlags(reading)}`.trim(),
  );
}

function restoreNetwork(bytes: Uint8Array, path: string): Checkpoint {
  const { optimizer, snapshot, meanGradient, ...checkpoint } = restoreCheckpoint(decodeCheckpoint(bytes, path));
  for (const tree of [...Object.values(optimizer), meanGradient]) disposeTensors(tree);
  if (snapshot) {
    disposeParams(snapshot.params);
    disposeTensors(snapshot.state);
  }
  return networkOnly({ ...checkpoint, optimizer: {}, snapshot: null, meanGradient: {} });
}
