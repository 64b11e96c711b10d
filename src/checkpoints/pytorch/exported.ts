// A state dict of PyTorch as a safetensors file: dense float32 tensors, by the names and in the layout of the reference code.
// Its metadata say which network it is (`equipoise_model`), and what brings the very checkpoint back (`equipoise_network`).

import { InputError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { buildModel } from '../../models/models.ts';
import { MODEL_METADATA, pytorchTensors, toPytorch } from '../../models/pytorch.ts';
import { type Network, parseRecord } from '../exchange/network.ts';
import { encodeSafetensors, type Safetensors, type StoredTensor } from '../safetensors/safetensors.ts';
import { valuesOf } from './state-dict.ts';

const NETWORK_METADATA = 'equipoise_network';

/** The record of a network of which nothing but the weights is known. */
export const BARE_RECORD = { config: {}, epoch: 0, step: 0, progress: {}, sparse: null } as const;

/** The bytes of the file; equal networks give equal bytes. */
export function encodePytorch({ record, values }: Network): Uint8Array {
  const { model, ...others } = record;
  const tensors = Object.fromEntries(
    pytorchTensors(buildModel(model.name, model)).map(({ name, key, layout }): [string, StoredTensor] => [
      key,
      { dtype: 'F32', shape: layout.shape, data: Float32Array.from(toPytorch(values[name], layout)) },
    ]),
  );
  return encodeSafetensors(tensors, {
    format: 'pt',
    [MODEL_METADATA]: JSON.stringify(model),
    [NETWORK_METADATA]: JSON.stringify(others),
  });
}

/** True if the metadata of a safetensors file say which network its weights belong to. */
export const saysItsNetwork = (metadata: Safetensors['metadata']): boolean => Object.hasOwn(metadata, MODEL_METADATA);

/**
 * The network that such a file holds.
 *
 * @param source what messages call the file
 * @throws InputError if it does not say which, or the tensors are not those of the network
 */
export function decodePytorch({ metadata, tensors }: Safetensors, source: string): Network {
  if (!saysItsNetwork(metadata)) throw new InputError(`${source} does not say which network it is of.`);
  const others = metadata[NETWORK_METADATA];
  const beside = others === undefined ? BARE_RECORD : jsonObject(others, source);
  const record = parseRecord({ ...beside, model: jsonObject(metadata[MODEL_METADATA], source) }, source);
  const { name } = record.model;
  const weights = Object.entries(tensors).filter(([key]) => !key.endsWith('num_batches_tracked'));
  const program = buildModel(name, record.model);
  return { record, values: valuesOf({ name, program }, new Map(weights), source) };
}

function jsonObject(text: string, source: string): object {
  let value: unknown;
  try {
    value = jsonValue(text);
  } catch (error) {
    throw new InputError(`${source} has damaged metadata: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value === 'object' && value !== null) return value;
  throw new InputError(`${source} has damaged metadata: expected an object, got ${text.slice(0, 40)}.`);
}
