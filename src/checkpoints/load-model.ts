// Loads a trained network for use as a classifier.
import { InputError } from '../core/errors.ts';
import type { Params, Tensors } from '../core/params.ts';
import { disposeParams, disposeTensors } from '../core/params.ts';
import { checkWeights } from '../models/inspect.ts';
import { buildModel } from '../models/models.ts';
import type { Program } from '../ops/network.ts';
import { type CheckpointFile, readCheckpoint } from './checkpoint.ts';
import { paramsBelow, tensorsBelow } from './safetensors/stored.ts';
import type { Json, ModelRecord } from './types.ts';

/** A trained network, ready to run. */
export interface LoadedModel {
  /** The configuration of the run that trained it, as its record. */
  readonly config: Readonly<Record<string, Json>>;
  readonly model: ModelRecord;
  readonly program: Program;
  /** The weights, owned by the caller, as is `state`. */
  readonly params: Params;
  /** Running statistics of batch norm. */
  readonly state: Tensors;
  /** Epochs completed, and optimizer steps done. */
  readonly epoch: number;
  readonly step: number;
  /** True if its weights are averaged over the steps of training. */
  readonly averaged: boolean;
  /** SHA-256 of the data set it was trained on, where the checkpoint says so. */
  readonly datasetSha256: string | null;
  readonly file: CheckpointFile;
  /** Warnings about damaged files that were not used. */
  readonly warnings: readonly string[];
}

/**
 * The network of a checkpoint, on the current backend, without the optimizer's memory.
 *
 * @param path a file that training wrote
 * @throws InputError if the file is missing, no checkpoint, damaged (and the one before it too), or if its weights do not
 * fit the model that it names
 */
export async function loadModel(path: string): Promise<LoadedModel> {
  const { stored, file, warnings } = await readCheckpoint(path);
  const program = buildModel(stored.model.name, stored.model);
  const params = paramsBelow(stored, 'params/');
  const state = tensorsBelow(stored, 'state/');
  try {
    checkWeights(program, params, state);
  } catch (error) {
    disposeParams(params);
    disposeTensors(state);
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${path}, a checkpoint of ${stored.model.name}: ${error.message}`, { cause: error });
  }
  const { datasetSha256, weights } = stored.progress;
  return {
    config: stored.config,
    model: stored.model,
    program,
    params,
    state,
    epoch: stored.epoch,
    step: stored.step,
    averaged: weights === 'averaged',
    datasetSha256: typeof datasetSha256 === 'string' ? datasetSha256 : null,
    file,
    warnings,
  };
}
