// The table of formats, and how the format of a path is found.
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MODEL_JSON } from '../../checkpoints/exchange/saved-model.ts';
import { largestModelJson, readWhole } from '../../checkpoints/files/inside.ts';
import { InputError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { reading } from '../../core/system-errors.ts';
import { checkpoint } from './checkpoint.ts';
import { exported } from './exported.ts';
import type { Found, ModelFormat } from './format.ts';
import { graphModel } from './graph-model.ts';
import { layersModel } from './layers-model.ts';
import { esModule } from './module.ts';
import { onnx } from './onnx.ts';
import { pytorchWeights } from './pytorch-weights.ts';
import { kerasArchive, kerasHdf5, savedModel, tensorflowLite, torchPickle, unnamedModule } from './refused.ts';

/** Every format that a model may come in; the first that recognises a path takes it. */
export const FORMATS = {
  checkpoint,
  'layers-model': layersModel,
  'graph-model': graphModel,
  onnx,
  exported,
  pytorch: pytorchWeights,
  module: esModule,
  keras: kerasArchive,
  hdf5: kerasHdf5,
  'saved-model': savedModel,
  tflite: tensorflowLite,
  'pytorch-pickle': torchPickle,
  'unnamed-module': unnamedModule,
} as const satisfies Readonly<Record<string, ModelFormat>>;

export type FormatName = keyof typeof FORMATS;

/**
 * The format of the model at a path.
 *
 * @throws InputError if there is nothing at the path, or nothing known
 */
export async function formatOf(path: string): Promise<FormatName> {
  const found = await inspect(path);
  // The checkpoint before may be there where a crash left only that.
  if (found.kind === 'nothing') return 'checkpoint';
  const name = (Object.keys(FORMATS) as FormatName[]).find((format) => FORMATS[format].recognises(found));
  if (name !== undefined) return name;
  const formats: readonly ModelFormat[] = Object.values(FORMATS);
  const accepted = formats.filter(({ refused }) => !refused).map(({ description }) => `\n  ${description}`);
  throw new InputError(`${path} is no model that Equipoise knows. A model is one of these:${accepted.join('')}`);
}

/** Enough for the name of the first file in a zip archive. */
const HEAD_BYTES = 128;
const LENGTH_BYTES = 8;
const MAX_HEADER_BYTES = 100_000_000;

async function inspect(path: string): Promise<Found> {
  const there = await stat(path).catch(() => null);
  const nothing = { path, head: new Uint8Array(), isSavedModel: false, modelJson: undefined, metadata: undefined };
  if (there === null) return { ...nothing, kind: 'nothing' };
  if (there.isDirectory()) {
    const isSavedModel = (await stat(join(path, 'saved_model.pb')).catch(() => null)) !== null;
    return { ...nothing, kind: 'folder', isSavedModel, modelJson: await readJson(join(path, MODEL_JSON)) };
  }
  if (!there.isFile()) throw new InputError(`${path} is neither a file nor a folder. Give the file of a model.`);
  if (path.endsWith('.json')) return { ...nothing, kind: 'file', modelJson: await readJson(path) };
  return reading(path, async () => {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(new Uint8Array(HEAD_BYTES), 0, HEAD_BYTES, 0);
      const head = buffer.subarray(0, bytesRead);
      return { ...nothing, kind: 'file', head, metadata: await safetensorsMetadata(head, there.size, file) };
    } finally {
      await file.close();
    }
  });
}

const headerSchema = z.object({ __metadata__: z.record(z.string(), z.string()).catch({}) });

/** Undefined for other files; what is damaged is left for the format's own messages. */
async function safetensorsMetadata(
  head: Uint8Array,
  size: number,
  file: { read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<unknown> },
): Promise<Found['metadata']> {
  if (head.length < LENGTH_BYTES) return undefined;
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  if (length < 2 || length > Math.min(size - LENGTH_BYTES, MAX_HEADER_BYTES)) return undefined;
  const header = new Uint8Array(length);
  await file.read(header, 0, length, LENGTH_BYTES);
  try {
    return headerSchema.parse(jsonValue(new TextDecoder().decode(header))).__metadata__;
  } catch {
    return undefined;
  }
}

async function readJson(path: string): Promise<unknown> {
  if ((await stat(path).catch(() => null)) === null) return undefined;
  const bytes = await readWhole(path, largestModelJson());
  try {
    return jsonValue(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new InputError(`${path} is no JSON: ${(error as Error).message}. Copy the model again.`, { cause: error });
  }
}
