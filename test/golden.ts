// Reads the reference vectors in test/golden.
import { readFileSync } from 'node:fs';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { decodeSafetensors, type StoredTensor } from '../src/checkpoints/safetensors/safetensors.ts';

const folder = new URL('../../test/golden/', import.meta.url);

/** The reference vectors of a topic: its scalars and remarks, and its tensors by name. */
export function golden(name: string): { json: unknown; tensors: Readonly<Record<string, StoredTensor>> } {
  return {
    json: JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')),
    tensors: decodeSafetensors(readFileSync(new URL(`${name}.safetensors`, folder)), `${name}.safetensors`).tensors,
  };
}

/** A stored tensor on the current backend, owned by the caller: float32, or int32 if it holds integers. */
export const toTensor = ({ dtype, shape, data }: StoredTensor): Tensor =>
  tf.tensor(Array.from(data as ArrayLike<number>), [...shape], dtype.startsWith('F') ? 'float32' : 'int32');
