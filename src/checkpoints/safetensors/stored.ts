// The metadata of a checkpoint file, and its schema.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import type { Param, Params, Tensors } from '../../core/params.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { type Structure, structure } from '../../core/structure.ts';
import type { OptimizerState } from '../../optimizers/types.ts';
import type { Checkpoint, Json } from '../types.ts';
import { GAPS, POSITIONS, unpack } from './packing.ts';
import type { Safetensors, StoredTensor } from './safetensors.ts';

/*
 * A checkpoint is one safetensors file.
 *
 *   params/NAME                      a dense parameter, or the values of a sparse one at its nonzeros
 *   params/NAME.positions            their positions in the dense kernel, row-major, int32; packed as params/NAME.gaps, uint8
 *   state/NAME                       running statistics of batch norm
 *   optimizer/SLOT/NAME              momentum
 *   average/params/NAME              the average of a parameter, on the positions of params/NAME
 *   average/state/NAME               the average of running statistics
 *   snapshot/params/…, snapshot/state/…, meanGradient/NAME, explored/NAME, grownAt/NAME
 *
 * Its metadata are strings: `format`, `format_version`, `config`, `model`, `epoch`, `step`, `progress`, `shapes` (the dense
 * shapes of sparse parameters), all JSON, and `sha256`: that of the file with these 64 digits set to 0.
 */

export const FORMAT = 'equipoise-checkpoint';
export const FORMAT_VERSION = 1;
export const GROWN_AT = 'grownAt/';
export const DIGEST_DIGITS = 64;

const metadataSchema = z.object({
  format: z.literal(FORMAT),
  format_version: z.literal(String(FORMAT_VERSION)),
  config: z.string(),
  model: z.string(),
  epoch: z.string(),
  step: z.string(),
  progress: z.string(),
  shapes: z.string(),
  sha256: z.string().length(DIGEST_DIGITS),
});

/** Which network weights belong to, as files say it. */
export const modelSchema = z.object({
  name: z.string(),
  width: z.number(),
  inputShape: z.tuple([z.int(), z.int(), z.int()]),
  classes: z.int(),
  normalize: z.object({ mean: z.array(z.number()), std: z.array(z.number()) }).optional(),
});

const jsonRecord = z.record(z.string(), z.json());
const partsSchema = z.object({
  config: jsonRecord,
  model: modelSchema,
  epoch: z.int().min(0),
  step: z.int().min(0),
  progress: jsonRecord,
  shapes: z.record(z.string(), z.array(z.int().positive())),
});

/** A checkpoint whose file was found whole; its arrays are not on any backend yet. */
export interface StoredCheckpoint {
  readonly config: Readonly<Record<string, Json>>;
  readonly model: Checkpoint['model'];
  readonly epoch: number;
  readonly step: number;
  readonly progress: Readonly<Record<string, Json>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly tensors: Safetensors['tensors'];
}

/**
 * The checkpoint that a safetensors file holds; whether it is whole is for `decodeCheckpoint` to say.
 *
 * @param source what messages call the file
 * @throws InputError if it is no checkpoint, or of a later version
 */
export function parseCheckpoint({ metadata, tensors: packed }: Safetensors, source: string): StoredCheckpoint {
  if (metadata.format !== FORMAT) {
    throw new InputError(
      `${source} is a safetensors file but no checkpoint of Equipoise: its metadata have format ${JSON.stringify(metadata.format)}, expected ${FORMAT}. Give a file of a run's folder checkpoints/.`,
    );
  }
  if (metadata.format_version !== String(FORMAT_VERSION)) {
    throw new InputError(
      `${source} is a checkpoint of format version ${metadata.format_version}; this version of Equipoise reads ${FORMAT_VERSION}. Use the version that wrote it.`,
    );
  }
  const strings = metadataSchema.safeParse(metadata);
  const parts = strings.success ? partsSchema.safeParse(parseAll(strings.data)) : strings;
  if (!parts.success) throw new InputError(`${source} is no checkpoint: ${z.prettifyError(parts.error)}`);
  const tensors = unpack(packed);
  checkTensors(tensors, parts.data.shapes, source);
  return { ...(parts.data as Omit<StoredCheckpoint, 'tensors'>), tensors };
}

/** @throws InputError unless every tensor has the type that its name asks for, and sparse ones have shape and positions */
function checkTensors(tensors: Safetensors['tensors'], shapes: StoredCheckpoint['shapes'], source: string): void {
  const refuse = (what: string): never => {
    throw new InputError(`${source} is no checkpoint: ${what}. Use another checkpoint of the run.`);
  };
  for (const [name, { dtype, shape }] of Object.entries(tensors)) {
    if (name.endsWith(GAPS)) {
      refuse(`${name} holds no gaps: expected bytes, the last below 255, and no positions beside them`);
    }
    const isAges = name.startsWith(GROWN_AT);
    const expected = name.endsWith(POSITIONS) || isAges ? 'I32' : name.startsWith('explored/') ? 'U8' : 'F32';
    if (dtype !== expected) refuse(`its tensor ${name} is ${dtype}, expected ${expected}`);
    const aged = tensors[`params/${name.slice(GROWN_AT.length)}`];
    if (isAges && String(aged?.shape) !== String(shape)) {
      refuse(`${name} has the shape [${shape}] and its weights have [${aged?.shape ?? 'none'}]`);
    }
    if (!name.endsWith(POSITIONS)) continue;
    const values = name.slice(0, -POSITIONS.length);
    if (!Object.hasOwn(tensors, values) || !Object.hasOwn(shapes, values))
      refuse(`${name} belongs to no sparse tensor`);
    if (shape.length !== 1 || String(tensors[values].shape) !== String(shape)) {
      refuse(`${name} has the shape [${shape}] and its values have [${tensors[values].shape}]`);
    }
  }
  const dense = Object.keys(shapes).find((name) => !Object.hasOwn(tensors, name + POSITIONS));
  if (dense !== undefined) refuse(`it names a dense shape of ${dense}, which has no positions`);
}

function parseAll({ config, model, epoch, step, progress, shapes }: z.infer<typeof metadataSchema>): unknown {
  const parts = { config, model, epoch, step, progress, shapes };
  return Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, parseJson(text)]));
}

function parseJson(text: string): unknown {
  try {
    return jsonValue(text);
  } catch {
    return undefined;
  }
}

const toTensor = ({ shape, data }: StoredTensor): Tensor => tf.tensor(data as Float32Array, [...shape], 'float32');

/** The tensors below `prefix`, on the current backend, owned by the caller. */
export function tensorsBelow({ tensors }: StoredCheckpoint, prefix: string): Tensors {
  const out: Record<string, Tensor> = {};
  for (const [name, stored] of Object.entries(tensors)) {
    if (name.startsWith(prefix)) out[name.slice(prefix.length)] = toTensor(stored);
  }
  return out;
}

/** The parameters below `prefix`, on the current backend, owned by the caller. */
export function paramsBelow({ tensors, shapes }: StoredCheckpoint, prefix: string): Params {
  const out: Record<string, Param> = {};
  for (const [name, stored] of Object.entries(tensors)) {
    if (!name.startsWith(prefix) || name.endsWith(POSITIONS)) continue;
    const positions = tensors[name + POSITIONS];
    const values = toTensor(stored);
    out[name.slice(prefix.length)] = positions
      ? { structure: storedStructure(shapes[name], positions), values: values as tf.Tensor1D }
      : values;
  }
  return out;
}

const storedStructure = (shape: readonly number[], { data }: StoredTensor): Structure =>
  structure(shape, data as Int32Array);

/** The checkpoint on the current backend; its tensors belong to the caller. */
export function restoreCheckpoint(stored: StoredCheckpoint): Checkpoint {
  const { config, model, epoch, step, progress, tensors } = stored;
  const names = Object.keys(tensors);
  const slots = new Set(names.flatMap((name) => (name.startsWith('optimizer/') ? [name.split('/')[1]] : [])));
  const optimizer: OptimizerState = Object.fromEntries(
    [...slots].map((slot) => [slot, tensorsBelow(stored, `optimizer/${slot}/`)]),
  );
  const average = names.some((name) => name.startsWith('average/'))
    ? { params: tensorsBelow(stored, 'average/params/'), state: tensorsBelow(stored, 'average/state/') }
    : null;
  const snapshot = names.some((name) => name.startsWith('snapshot/'))
    ? { params: paramsBelow(stored, 'snapshot/params/'), state: tensorsBelow(stored, 'snapshot/state/') }
    : null;
  const arraysBelow = <Numbers>(prefix: string): Record<string, Numbers> =>
    Object.fromEntries(
      names.flatMap((name) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), tensors[name].data as Numbers]] : [],
      ),
    );
  return {
    config,
    model,
    epoch,
    step,
    progress,
    params: paramsBelow(stored, 'params/'),
    state: tensorsBelow(stored, 'state/'),
    optimizer,
    average,
    snapshot,
    meanGradient: tensorsBelow(stored, 'meanGradient/'),
    explored: arraysBelow<Uint8Array>('explored/'),
    grownAt: arraysBelow<Int32Array>(GROWN_AT),
  };
}
