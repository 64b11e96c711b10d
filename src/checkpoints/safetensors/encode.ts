// Encodes checkpoints as safetensors bytes, and decodes them.
import { createHash } from 'node:crypto';
import type { Tensor } from '@tensorflow/tfjs-core';
import { InputError } from '../../core/errors.ts';
import { isSparse, type Params, type Tensors } from '../../core/params.ts';
import type { Checkpoint } from '../types.ts';
import { type Packing, POSITIONS, pack } from './packing.ts';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from './safetensors.ts';
import { DIGEST_DIGITS, FORMAT, FORMAT_VERSION, GROWN_AT, parseCheckpoint, type StoredCheckpoint } from './stored.ts';

const NO_DIGEST = '0'.repeat(DIGEST_DIGITS);
const DIGEST_MARK = '"sha256":"';

/**
 * The bytes of a checkpoint's file; equal checkpoints give equal bytes.
 *
 * @param packing how it is made smaller; null: not at all
 */
export async function encodeCheckpoint(checkpoint: Checkpoint, packing: Packing | null = null): Promise<Uint8Array> {
  const tensors: Record<string, StoredTensor> = {};
  const shapes: Record<string, readonly number[]> = {};
  const put = async (name: string, tensor: Tensor): Promise<void> => {
    tensors[name] = { dtype: 'F32', shape: tensor.shape, data: ((await tensor.data()) as Float32Array).slice() };
  };
  const putAll = async (prefix: string, tree: Tensors): Promise<void> => {
    for (const [name, tensor] of Object.entries(tree)) await put(prefix + name, tensor);
  };
  const putParams = async (prefix: string, params: Params): Promise<void> => {
    for (const [name, param] of Object.entries(params)) {
      if (!isSparse(param)) {
        await put(prefix + name, param);
        continue;
      }
      const { shape, positions } = param.structure;
      await put(prefix + name, param.values);
      tensors[prefix + name + POSITIONS] = { dtype: 'I32', shape: [positions.length], data: positions.slice() };
      shapes[prefix + name] = shape;
    }
  };
  await putParams('params/', checkpoint.params);
  await putAll('state/', checkpoint.state);
  for (const [slot, tree] of Object.entries(checkpoint.optimizer)) await putAll(`optimizer/${slot}/`, tree);
  if (checkpoint.average) {
    await putAll('average/params/', checkpoint.average.params);
    await putAll('average/state/', checkpoint.average.state);
  }
  if (checkpoint.snapshot) {
    await putParams('snapshot/params/', checkpoint.snapshot.params);
    await putAll('snapshot/state/', checkpoint.snapshot.state);
  }
  await putAll('meanGradient/', checkpoint.meanGradient);
  for (const [name, bits] of Object.entries(checkpoint.explored)) {
    tensors[`explored/${name}`] = { dtype: 'U8', shape: [bits.length], data: bits.slice() };
  }
  for (const [name, steps] of Object.entries(checkpoint.grownAt)) {
    tensors[GROWN_AT + name] = { dtype: 'I32', shape: [steps.length], data: steps.slice() };
  }
  const json = (value: unknown): string => JSON.stringify(value);
  return seal(
    encodeSafetensors(packing === null ? tensors : pack(tensors, packing), {
      format: FORMAT,
      format_version: json(FORMAT_VERSION),
      config: json(checkpoint.config),
      model: json(checkpoint.model),
      epoch: json(checkpoint.epoch),
      step: json(checkpoint.step),
      progress: json(checkpoint.progress),
      shapes: json(shapes),
      sha256: NO_DIGEST,
    }),
  );
}

const digestOffset = (bytes: Uint8Array): number => {
  const mark = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(DIGEST_MARK);
  return mark < 0 ? -1 : mark + DIGEST_MARK.length;
};

/** SHA-256 of the file with the 64 digits at `offset` set to 0. */
const digestOf = (bytes: Uint8Array, offset: number): string =>
  createHash('sha256')
    .update(bytes.subarray(0, offset))
    .update(NO_DIGEST)
    .update(bytes.subarray(offset + NO_DIGEST.length))
    .digest('hex');

function seal(bytes: Uint8Array): Uint8Array {
  const offset = digestOffset(bytes);
  bytes.set(new TextEncoder().encode(digestOf(bytes, offset)), offset);
  return bytes;
}

/**
 * What a checkpoint's bytes hold.
 *
 * @param source what messages call the file
 * @throws InputError if it is no safetensors file, no checkpoint, damaged, or of a later version
 */
export function decodeCheckpoint(bytes: Uint8Array, source: string): StoredCheckpoint {
  const file = decodeSafetensors(bytes, source);
  const stored = parseCheckpoint(file, source);
  const offset = digestOffset(bytes);
  if (offset < 0 || digestOf(bytes, offset) !== file.metadata.sha256) {
    throw new InputError(
      `${source} is damaged: its content does not have the SHA-256 that its metadata name. Use another checkpoint of the run.`,
    );
  }
  return stored;
}
