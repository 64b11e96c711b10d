import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { isMissing } from '../../checkpoints/system-errors.ts';
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import { sha256OfFiles } from './digest.ts';

export const MODEL_JSON = 'model.json';

interface WeightFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** A model of TensorFlow.js: its `model.json` with the weights that this names. */
export interface SavedModel {
  readonly artifacts: tf.io.ModelArtifacts;
  /** Of all files, and their size. */
  readonly sha256: string;
  readonly bytes: number;
}

/** The path of a `model.json`, given it or its folder. */
export const modelJsonOf = (path: string): string => (path.endsWith('.json') ? path : join(path, MODEL_JSON));

/** What a model calls itself: the name of its folder. */
export const modelName = (path: string): string => basename(dirname(modelJsonOf(path))) || MODEL_JSON;

/** Whether a parsed `model.json` holds a LayersModel (Keras layers) or a GraphModel (nodes of a graph). */
export function topologyKind(json: unknown): 'layers' | 'graph' | 'unknown' {
  const { format, modelTopology } = (json ?? {}) as { format?: unknown; modelTopology?: Record<string, unknown> };
  if (format === 'layers-model' || modelTopology?.model_config !== undefined) return 'layers';
  if (format === 'graph-model' || modelTopology?.node !== undefined) return 'graph';
  return modelTopology?.class_name !== undefined ? 'layers' : 'unknown';
}

/**
 * Reads a `model.json` and the files of weights beside it.
 *
 * @throws InputError if a file is missing, or the weights are fewer or more than it says
 */
export async function readSavedModel(path: string): Promise<SavedModel> {
  const file = modelJsonOf(path);
  const text = await readFile(file);
  const json = JSON.parse(text.toString()) as tf.io.ModelJSON;
  const files: WeightFile[] = [{ path: file, bytes: text }];
  const artifacts = await tf.io.getModelArtifactsForJSON(json, async (manifest) => {
    const groups: Uint8Array[] = [];
    for (const { paths, weights } of manifest) {
      const before = files.length;
      for (const name of paths) files.push(await readShard(file, name));
      const bytes = Buffer.concat(files.slice(before).map((shard) => shard.bytes));
      const expected = weights.reduce((total, spec) => total + bytesOf(spec), 0);
      if (Number.isFinite(expected) && bytes.length !== expected) {
        throw new InputError(
          `${file} names weights of ${expected} bytes; ${paths.join(' and ')} hold ${bytes.length}. Copy the folder again.`,
        );
      }
      groups.push(bytes);
    }
    const data = new Uint8Array(Buffer.concat(groups));
    return [manifest.flatMap(({ weights }) => weights), data.buffer];
  });
  return {
    artifacts,
    sha256: sha256OfFiles(files),
    bytes: files.reduce((total, { bytes }) => total + bytes.length, 0),
  };
}

async function readShard(modelJson: string, name: string): Promise<WeightFile> {
  const path = join(dirname(modelJson), name);
  try {
    return { path, bytes: await readFile(path) };
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new InputError(`${modelJson} names the weights ${name}, which do not lie beside it. Copy the whole folder.`);
  }
}

const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  uint16: 2,
  float16: 2,
  uint8: 1,
  bool: 1,
  complex64: 8,
};

/** NaN where the length does not follow from the shape, as for texts. */
const bytesOf = ({ shape, dtype, quantization }: tf.io.WeightsManifestEntry): number =>
  sizeOf(shape) * (BYTES[quantization?.dtype ?? dtype] ?? Number.NaN);

/** What to say where a library cannot build the model of a path. */
export const buildFailure = (path: string, library: string, remedy: string, error: unknown): InputError =>
  new InputError(`${path} cannot be built by ${library}: ${reasonIn(error)} ${remedy}`, { cause: error });

/** The first sentence of a message; tfjs-layers goes on with a list of what may be the reason. */
const reasonIn = (error: unknown): string =>
  (error as Error).message.split('\n')[0].replace(/ This may be due to one of the following reasons:$/, '');

/** @throws InputError unless a model has one input and one output, as a classifier has */
export function checkEnds(
  path: string,
  { inputs, outputs }: { readonly inputs: readonly unknown[]; readonly outputs: readonly unknown[] },
): void {
  if (inputs.length === 1 && outputs.length === 1) return;
  throw new InputError(
    `A classifier has one input and one output; ${path} has ${inputs.length} and ${outputs.length}. Wrap it with --module.`,
  );
}

/** What a saved model is, as an evaluation records it; it says nothing of its training. */
export const recordOf = (path: string, { sha256, bytes }: SavedModel, kernels: readonly tf.Tensor[]) => ({
  ...countNonzeros(kernels),
  checkpoint: modelName(path),
  sha256,
  bytes,
  epoch: null,
  step: null,
  flops: null,
});

/** Weights and nonzeros among tensors, and the share of zeros. */
export function countNonzeros(kernels: readonly tf.Tensor[]): { nonzeros: number; sparsity: number } {
  let nonzeros = 0;
  let size = 0;
  for (const kernel of kernels) {
    for (const value of kernel.dataSync()) if (value !== 0) nonzeros++;
    size += kernel.size;
  }
  return { nonzeros, sparsity: size === 0 ? 0 : 1 - nonzeros / size };
}
