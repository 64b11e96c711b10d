import { InputError } from '../core/errors.ts';
import { buildModel } from '../models/models.ts';
import { fromPytorch, MODEL_METADATA, pytorchTensors, toPytorch } from '../models/pytorch.ts';
import { type Network, type NetworkRecord, parseRecord } from './network.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from './safetensors.ts';
import type { ModelRecord } from './types.ts';

/*
 * A state dict of PyTorch as a safetensors file: dense float32 tensors, by the names and in the layout of the reference
 * code. Its metadata say which network it is (`equipoise_model`), and what brings the very checkpoint back
 * (`equipoise_network`).
 */

const NETWORK_METADATA = 'equipoise_network';

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

/**
 * The network that such a file holds.
 *
 * @param source what messages call the file
 * @param model which network it is, where the file does not say
 * @param nameInFile the names of its tensors in the file, where they are others than the network's
 * @throws InputError if neither says, or the tensors are not those of the network
 */
export function decodePytorch(
  bytes: Uint8Array,
  source: string,
  model?: ModelRecord,
  nameInFile: ReadonlyMap<string, string> = new Map(),
): Network {
  const { metadata, tensors } = decodeSafetensors(bytes, source);
  const record = recordIn(metadata, source, model);
  const program = buildModel(record.model.name, record.model);
  const nameOf = (key: string) => nameInFile.get(key) ?? key;
  const values = Object.fromEntries(
    pytorchTensors(program).map(({ name, key, layout }) => {
      const stored = tensors[nameOf(key)];
      if (stored === undefined) {
        throw new InputError(`${source} has no tensor ${key} [${layout.shape}], which ${record.model.name} needs.`);
      }
      if (stored.dtype !== 'F32' || String(stored.shape) !== String(layout.shape)) {
        throw new InputError(
          `${source} has ${key} as ${stored.dtype} [${stored.shape}]; ${record.model.name} needs F32 [${layout.shape}].`,
        );
      }
      return [name, Float32Array.from(fromPytorch(stored.data, layout))];
    }),
  );
  const known = new Set(pytorchTensors(program).map(({ key }) => nameOf(key)));
  const strange = Object.keys(tensors).find((key) => !known.has(key) && !key.endsWith('num_batches_tracked'));
  if (strange !== undefined) {
    throw new InputError(`${source} has a tensor ${strange}, which ${record.model.name} does not have.`);
  }
  return { record, values };
}

function recordIn(metadata: Readonly<Record<string, string>>, source: string, model?: ModelRecord): NetworkRecord {
  const named = metadata[MODEL_METADATA];
  if (model !== undefined || named === undefined) {
    if (model === undefined) {
      throw new InputError(
        `${source} does not say which network it is: give --model, --width, --images and --classes.`,
      );
    }
    return { model, config: {}, epoch: 0, step: 0, progress: {}, sparse: null };
  }
  try {
    const others = metadata[NETWORK_METADATA];
    const beside =
      others === undefined ? { config: {}, epoch: 0, step: 0, progress: {}, sparse: null } : JSON.parse(others);
    return parseRecord({ ...beside, model: JSON.parse(named) }, source);
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(`${source} has damaged metadata: ${error.message}`);
    throw error;
  }
}
