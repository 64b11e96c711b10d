import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../core/errors.ts';
import { disposeParams, disposeTensors, sparsityOf } from '../core/params.ts';
import { writeAtomically } from './atomic-file.ts';
import { decodeCheckpoint, encodeCheckpoint } from './encode.ts';
import { decodeLayers, MODEL_FILE, WEIGHTS_FILE } from './layers-file.ts';
import { checkpointOf, networkOnly } from './network.ts';
import { decodePytorch } from './pytorch-file.ts';
import { decodeSafetensors } from './safetensors.ts';
import { FORMAT, restoreCheckpoint } from './stored.ts';
import { isMissing } from './system-errors.ts';
import type { Checkpoint, ModelRecord } from './types.ts';

export interface Imported {
  readonly model: ModelRecord;
  readonly sparsity: number;
  readonly bytes: number;
}

/**
 * Writes a checkpoint of a network that came from elsewhere: what `exportModel` wrote, or a safetensors file with a state
 * dict of one of the supported networks. What was exported comes back bit by bit.
 *
 * @param path a safetensors file, or a folder with a LayersModel
 * @param model which network a state dict is of, where its file does not say; kernels of mostly zeros become sparse
 * @param nameInFile the names of its weights in the file, where they are others than the network's
 * @throws InputError if there is nothing, it is damaged, or it belongs to no known network
 */
export async function importModel(
  path: string,
  {
    out,
    model,
    nameInFile,
  }: { readonly out: string; readonly model?: ModelRecord; readonly nameInFile?: ReadonlyMap<string, string> },
): Promise<Imported> {
  const checkpoint = await readNetwork(path, model, nameInFile);
  try {
    const bytes = await encodeCheckpoint(checkpoint);
    await writeAtomically(out, bytes, { keepPrevious: true });
    return { model: checkpoint.model, sparsity: sparsityOf(checkpoint.params), bytes: bytes.length };
  } finally {
    disposeParams(checkpoint.params);
    disposeTensors(checkpoint.state);
  }
}

async function readNetwork(
  path: string,
  model?: ModelRecord,
  nameInFile?: ReadonlyMap<string, string>,
): Promise<Checkpoint> {
  const found = await stat(path).catch(() => null);
  if (found === null) {
    throw new InputError(`There is no ${path}. Give a .safetensors file, or the folder of a LayersModel.`);
  }
  if (found.isDirectory() || basename(path) === MODEL_FILE) {
    const folder = found.isDirectory() ? path : dirname(path);
    const [modelJson, weights] = await Promise.all([MODEL_FILE, WEIGHTS_FILE].map((name) => readPart(folder, name)));
    return checkpointOf(decodeLayers({ modelJson: modelJson.toString('utf8'), weights }, folder));
  }
  const bytes = await readFile(path);
  if (decodeSafetensors(bytes, path).metadata.format !== FORMAT) {
    return checkpointOf(decodePytorch(bytes, path, model, nameInFile));
  }
  const { optimizer, snapshot, meanGradient, ...checkpoint } = restoreCheckpoint(decodeCheckpoint(bytes, path));
  for (const tree of [...Object.values(optimizer), meanGradient]) disposeTensors(tree);
  if (snapshot) {
    disposeParams(snapshot.params);
    disposeTensors(snapshot.state);
  }
  return networkOnly({ ...checkpoint, optimizer: {}, snapshot: null, meanGradient: {} });
}

async function readPart(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch (error) {
    if (!isMissing(error)) throw error;
    throw new InputError(
      `${folder} has no ${name}. A LayersModel that Equipoise exported is a folder with ${MODEL_FILE} and ${WEIGHTS_FILE}.`,
    );
  }
}
