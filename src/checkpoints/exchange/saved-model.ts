// Reads a model of TensorFlow.js, `model.json` and the files of weights that it names, and checks all that before anything
// is allocated or built: the JSON's form, where the files are, and that they hold exactly the weights that are declared.
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { io } from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { inWords } from '../../core/system-errors.ts';
import { RAISE_LIMIT } from '../../data/files/limits.ts';
import { tooLarge } from '../../files/regular-file.ts';
import { sha256OfFiles } from '../files/digest.ts';
import { largestModelJson, largestWeights, pathInside, readWhole } from '../files/inside.ts';

export const MODEL_JSON = 'model.json';

/** Bytes of one value, by the type that it is stored in; of a text the least. */
const BYTES = { float32: 4, int32: 4, uint16: 2, float16: 2, uint8: 1, bool: 1, complex64: 8, string: 4 } as const;

const quantizationSchema = z.union([
  z.looseObject({ dtype: z.enum(['uint8', 'uint16']), min: z.number(), scale: z.number() }),
  z.looseObject({ dtype: z.literal('float16') }),
]);

const weightSchema = z.looseObject({
  name: z.string().min(1),
  shape: z.array(z.int().min(0)),
  dtype: z.enum(['float32', 'int32', 'bool', 'complex64', 'string']),
  group: z.enum(['model', 'optimizer']).optional(),
  quantization: quantizationSchema.optional(),
});

const manifestSchema = z.array(z.looseObject({ paths: z.array(z.string().min(1)), weights: z.array(weightSchema) }));

/** What every `model.json` holds; its topology is for the format to check. */
const modelSchema = z.looseObject({
  format: z.string().nullish(),
  modelTopology: z.record(z.string(), z.unknown()),
  weightsManifest: manifestSchema,
  signature: z.record(z.string(), z.unknown()).nullish(),
  userDefinedMetadata: z.record(z.string(), z.unknown()).nullish(),
  modelInitializer: z.record(z.string(), z.unknown()).nullish(),
  initializerSignature: z.record(z.string(), z.unknown()).nullish(),
});

type WeightSpec = z.infer<typeof weightSchema>;

/** A model of TensorFlow.js with its weights. */
export interface SavedModel {
  readonly topology: Readonly<Record<string, unknown>>;
  readonly weightSpecs: readonly io.WeightsManifestEntry[];
  readonly weightData: Uint8Array<ArrayBuffer>;
  /** All other parts of the JSON. */
  readonly json: Readonly<z.infer<typeof modelSchema>>;
  /** SHA-256 of all files, and their size. */
  readonly sha256: string;
  readonly bytes: number;
}

/** The path of a `model.json`, given it or its folder. */
export const modelJsonOf = (path: string): string => (path.endsWith('.json') ? path : join(path, MODEL_JSON));

/**
 * Reads a `model.json` and the files of weights beside it.
 *
 * @param path of the file or its folder
 * @throws InputError if a file is missing, outside the folder or too large, if the JSON has another form, or if the files
 * hold more or fewer weights than it declares
 */
export async function readSavedModel(path: string): Promise<SavedModel> {
  const { file, folder } = await locate(path);
  const text = await readWhole(file, largestModelJson());
  const json = parseModelJson(text, modelJsonOf(path));
  const shards: { path: string; size: number }[] = [];
  for (const { paths, weights } of json.weightsManifest) {
    const group: typeof shards = [];
    for (const name of paths) {
      const shard = await pathInside(folder, name, modelJsonOf(path));
      group.push({ path: shard, size: (await stat(shard)).size });
    }
    checkLength(modelJsonOf(path), weights, paths, total(group.map(({ size }) => size)));
    shards.push(...group);
  }
  const length = total(shards.map(({ size }) => size));
  if (length > largestWeights())
    throw tooLarge(`The weights of ${modelJsonOf(path)}`, length, largestWeights(), `${RAISE_LIMIT}.`);
  const weightData = new Uint8Array(length);
  const files = [{ path: file, bytes: text }];
  let start = 0;
  for (const shard of shards) {
    const bytes = await readWhole(shard.path, shard.size);
    weightData.set(bytes, start);
    start += bytes.length;
    files.push({ path: shard.path, bytes });
  }
  return {
    topology: json.modelTopology,
    weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
    weightData,
    json,
    sha256: sha256OfFiles(files),
    bytes: total(files.map(({ bytes }) => bytes.length)),
  };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** The JSON file of a model and its folder. The folder's own file has to lie inside it; one that is named may be a link. */
async function locate(path: string): Promise<{ readonly file: string; readonly folder: string }> {
  try {
    if (path.endsWith('.json')) {
      const file = await realpath(path);
      return { file, folder: dirname(file) };
    }
    const folder = await realpath(path);
    return { file: await pathInside(folder, MODEL_JSON, path), folder };
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw inWords(path, 'read', error);
  }
}

function parseModelJson(text: Uint8Array, source: string): z.infer<typeof modelSchema> {
  let value: unknown;
  try {
    value = jsonValue(new TextDecoder().decode(text));
  } catch (error) {
    throw new InputError(`${source} is no JSON: ${(error as Error).message}. Copy the model again.`, { cause: error });
  }
  const { modelTopology, weightsManifest } = (value ?? {}) as { modelTopology?: unknown; weightsManifest?: unknown };
  if (modelTopology !== undefined && weightsManifest === undefined) {
    throw new InputError(
      `${source} has no weightsManifest, so it says nothing of the model's weights. Save or convert the model again, with its weights.`,
    );
  }
  const { success, data, error } = modelSchema.safeParse(value);
  if (!success) {
    throw new InputError(`${source} is not the model.json of a TensorFlow.js model: ${z.prettifyError(error)}`);
  }
  const manifest = data.weightsManifest;
  const weight = repeated(manifest.flatMap(({ weights }) => weights.map(({ name }) => name)));
  if (weight !== undefined) {
    throw new InputError(`${source} declares the weight ${weight} twice. Save or convert the model again.`);
  }
  const file = repeated(manifest.flatMap(({ paths }) => paths));
  if (file !== undefined) {
    throw new InputError(`${source} names the file of weights ${file} twice. Save or convert the model again.`);
  }
  return data;
}

/** The first text that is there twice. */
const repeated = (texts: readonly string[]): string | undefined => {
  const seen = new Set<string>();
  return texts.find((text) => seen.size === seen.add(text).size);
};

function checkLength(source: string, weights: readonly WeightSpec[], paths: readonly string[], length: number): void {
  const expected = total(weights.map(bytesOf));
  const hasTexts = weights.some(({ dtype }) => dtype === 'string');
  if (hasTexts ? expected <= length : expected === length) return;
  throw new InputError(
    `${source} names weights of ${hasTexts ? 'at least ' : ''}${expected} bytes; ${paths.join(' and ') || 'the files that it names, none,'} hold ${length}. Copy the folder again.`,
  );
}

/** The length of a weight in its file; of texts, each of which begins with its length in 4 bytes, the least. */
const bytesOf = ({ shape, dtype, quantization }: WeightSpec): number =>
  shape.reduce((size, extent) => size * extent, BYTES[quantization?.dtype ?? dtype]);

/** What a model calls itself: the name of its folder. */
export const modelName = (path: string): string => basename(dirname(modelJsonOf(path))) || MODEL_JSON;
