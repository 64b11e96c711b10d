// Weights that an ONNX model keeps in files beside it. What a model names is read only within the model's folder.
import { dirname } from 'node:path';
import { largestWeights, pathInside, readWhole } from '../../../checkpoints/files/inside.ts';
import { InputError } from '../../../core/errors.ts';
import type { TensorRecord } from './model.ts';

/** A file of weights, read whole. */
export interface DataFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The files that tensors lie in, by the name that they give.
 *
 * @throws InputError for a file that is missing, is none, or lies outside the model's folder, by a link too
 */
export async function readDataFiles(
  model: string,
  tensors: readonly TensorRecord[],
): Promise<ReadonlyMap<string, DataFile>> {
  const names = new Set(tensors.flatMap(({ external }) => (external === null ? [] : [external.location ?? ''])));
  const files = new Map<string, DataFile>();
  for (const name of names) files.set(name, await readDataFile(model, name));
  return files;
}

async function readDataFile(model: string, name: string): Promise<DataFile> {
  const path = await pathInside(dirname(model), name, model);
  return { path, bytes: await readWhole(path, largestWeights()) };
}

/**
 * The bytes of a tensor; null if its numbers are in a list.
 *
 * @throws InputError if it lies beyond the end of its file
 */
export function rawBytes(
  { name, raw, external }: TensorRecord,
  files: ReadonlyMap<string, DataFile>,
): Uint8Array | null {
  if (external === null) return raw;
  const { location = '', offset = '0', length } = external;
  const bytes = files.get(location)?.bytes ?? new Uint8Array();
  const start = Number(offset);
  const end = length === undefined ? bytes.length : start + Number(length);
  if (!(Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end >= start && end <= bytes.length)) {
    throw new InputError(
      `The tensor ${name} is bytes ${offset} to ${end} of ${location}, which has ${bytes.length}. Copy ${location} again.`,
    );
  }
  return bytes.subarray(start, end);
}
