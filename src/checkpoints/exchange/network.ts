// A network apart from its training, as it is exchanged with other software.
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { InputError } from '../../core/errors.ts';
import { isKernel, isSparse, type Param, type Params, type Tensors } from '../../core/params.ts';
import { gatherValues, type Structure, scatterValues, structure } from '../../core/structure.ts';
import { parametersOf, statisticsOf } from '../../models/inspect.ts';
import { buildModel } from '../../models/models.ts';
import { modelSchema } from '../safetensors/stored.ts';
import type { Checkpoint, Json } from '../types.ts';

/**
 * A network apart from its training, with its tensors as plain dense arrays: what every exported format holds, each in its
 * own order and names.
 */
export interface Network {
  readonly record: NetworkRecord;
  /** Parameters and statistics by our names, dense and row-major in our layout. */
  readonly values: Readonly<Record<string, Float32Array<ArrayBuffer>>>;
}

/** The record beside the tensors, as JSON. With it an export is read back bit by bit. */
export interface NetworkRecord extends Pick<Checkpoint, 'model' | 'config' | 'epoch' | 'step' | 'progress'> {
  /**
   * The kernels stored sparse, each with the positions that are active and nevertheless 0, as freshly grown weights are;
   * the other active ones are those of the nonzeros. Null if nothing is known: kernels of many zeros become sparse.
   */
  readonly sparse: Readonly<Record<string, readonly number[]>> | null;
}

/** A kernel of unknown origin is stored sparse if at least this share of it is zero. */
const SPARSE_FROM = 0.5;

/** A value whose bits are not all 0; −0 counts, since it has to come back. */
const isActive = (value: number): boolean => value !== 0 || Object.is(value, -0);

/** The network of a checkpoint, which is borrowed. */
export async function networkOf({ model, config, epoch, step, progress, params, state }: Checkpoint): Promise<Network> {
  const values: Record<string, Float32Array<ArrayBuffer>> = {};
  const sparse: Record<string, readonly number[]> = {};
  const dataOf = async (tensor: Tensor) => Float32Array.from(await tensor.data());
  const program = buildModel(model.name, model);
  for (const { name } of parametersOf(program)) {
    const param = params[name];
    if (!isSparse(param)) {
      values[name] = await dataOf(param);
      continue;
    }
    const active = await dataOf(param.values);
    values[name] = scatterValues(param.structure, active);
    sparse[name] = [...param.structure.positions.filter((_, i) => !isActive(active[i]))];
  }
  for (const { name } of statisticsOf(program)) values[name] = await dataOf(state[name]);
  return { record: { model, config, epoch, step, progress, sparse }, values };
}

/** The checkpoint of a network, without what only training needs; its tensors belong to the caller. */
export function checkpointOf({ record: { sparse, ...record }, values }: Network): Checkpoint {
  const program = buildModel(record.model.name, record.model);
  const params: Params = Object.fromEntries(
    parametersOf(program).map(({ name, shape }) => [name, paramOf(name, shape, values[name], sparse)]),
  );
  const state: Tensors = Object.fromEntries(
    statisticsOf(program).map(({ name, shape }) => [name, tf.tensor(values[name], [...shape])]),
  );
  const none = { optimizer: {}, average: null, snapshot: null, meanGradient: {}, explored: {}, grownAt: {} };
  return { ...record, params, state, ...none };
}

/**
 * A parameter of dense values: a kernel as sparse as it was, or where that is not known, if most of it is 0.
 *
 * @param values row-major in our layout
 */
export function paramOf(
  name: string,
  shape: readonly number[],
  values: Float32Array,
  sparse: NetworkRecord['sparse'],
): Param {
  const zeros = sparse === null ? [] : sparse[name];
  if (!isKernel(name) || zeros === undefined) return tf.tensor(values, [...shape]);
  const found = activeStructure(shape, values, zeros);
  if (sparse === null && found.positions.length > (1 - SPARSE_FROM) * values.length) {
    return tf.tensor(values, [...shape]);
  }
  return { structure: found, values: tf.tensor1d(gatherValues(found, values)) as Tensor1D };
}

/** The nonzeros, and the given places that are active at 0. */
function activeStructure(shape: readonly number[], values: Float32Array, zeros: readonly number[]): Structure {
  const extra = new Set(zeros);
  const positions: number[] = [];
  for (let i = 0; i < values.length; i++) if (isActive(values[i]) || extra.has(i)) positions.push(i);
  return structure(shape, Int32Array.from(positions));
}

/** A checkpoint without what only training needs. Its tensors are borrowed, and in order of execution. */
export function networkOnly(checkpoint: Checkpoint): Checkpoint {
  const { params, state, model } = checkpoint;
  const program = buildModel(model.name, model);
  return {
    ...checkpoint,
    params: Object.fromEntries(parametersOf(program).map(({ name }) => [name, params[name]])),
    state: Object.fromEntries(statisticsOf(program).map(({ name }) => [name, state[name]])),
    optimizer: {},
    average: null,
    snapshot: null,
    meanGradient: {},
    explored: {},
  };
}

const json = z.record(z.string(), z.json());
const recordSchema = z.object({
  model: modelSchema,
  config: json,
  epoch: z.int().min(0),
  step: z.int().min(0),
  progress: json,
  sparse: z.record(z.string(), z.array(z.int().min(0))).nullable(),
});

/**
 * A record that a file holds.
 *
 * @throws InputError if it is none
 */
export function parseRecord(value: unknown, source: string): NetworkRecord {
  const { success, data, error } = recordSchema.safeParse(value);
  if (success) return data as NetworkRecord & { config: Record<string, Json> };
  throw new InputError(`${source} names no network of Equipoise: ${z.prettifyError(error)}`);
}
