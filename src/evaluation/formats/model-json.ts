// What the two formats of TensorFlow.js have in common: how they are told apart, what is said where they cannot be built,
// and what an evaluation records of them.
import type * as tf from '@tensorflow/tfjs-core';
import { modelName, type SavedModel } from '../../checkpoints/exchange/saved-model.ts';
import { InputError } from '../../core/errors.ts';

/** True if a parsed `model.json` holds a LayersModel (Keras layers) or a GraphModel (nodes of a graph). */
export function topologyKind(json: unknown): 'layers' | 'graph' | 'unknown' {
  const { format, modelTopology } = (json ?? {}) as { format?: unknown; modelTopology?: Record<string, unknown> };
  if (format === 'layers-model' || modelTopology?.model_config !== undefined) return 'layers';
  if (format === 'graph-model' || modelTopology?.node !== undefined) return 'graph';
  return modelTopology?.class_name !== undefined ? 'layers' : 'unknown';
}

/** What to say where a library cannot build the model of a path. */
export const buildFailure = (path: string, library: string, remedy: string, error: unknown): InputError =>
  new InputError(`${path} cannot be built by ${library}: ${reasonIn(error)} ${remedy}`, { cause: error });

/** The first line of a message of tfjs-layers, as a sentence, without the list of possible reasons that follows it. */
const reasonIn = (error: unknown): string =>
  (error as Error).message
    .split('\n')[0]
    .replace(/ This may be due to one of the following reasons:$/, '')
    .replace(/[^.!?]$/, '$&.');

/** @throws InputError unless a model has one input and one output, as a classifier has */
export function checkEnds(
  path: string,
  { inputs, outputs }: { readonly inputs: readonly unknown[]; readonly outputs: readonly unknown[] },
): void {
  if (inputs.length === 1 && outputs.length === 1) return;
  throw new InputError(
    `A classifier has one input and one output; ${path} has ${inputs.length} and ${outputs.length}. Wrap it with --module.`,
  );
}

/** @throws InputError for a model of one output, which is no classifier as it stands */
export function checkClasses(path: string, count: number | null | undefined): void {
  if (count !== 1) return;
  throw new InputError(
    `${path} has one output, as a model that says yes or no. Attacks need a logit for each class: give [0, z] for its logit z, from a module (--module) that loads the model and exports\n\n  classifier = (images) => { const z = model.predict(images); return tf.concat([tf.zerosLike(z), z], 1); }\n\nwhere z is the output before a final sigmoid.`,
  );
}

/** What a saved model is, as an evaluation records it; it says nothing of its training. */
export const recordOf = (path: string, { sha256, bytes }: SavedModel, kernels: readonly tf.Tensor[]) => ({
  ...countNonzeros(kernels),
  checkpoint: modelName(path),
  sha256,
  bytes,
  epoch: null,
  step: null,
  flops: null,
});

/** Weights and nonzeros among tensors, and the share of zeros. */
export function countNonzeros(kernels: readonly tf.Tensor[]): { nonzeros: number; sparsity: number } {
  let nonzeros = 0;
  let size = 0;
  for (const kernel of kernels) {
    for (const value of kernel.dataSync()) if (value !== 0) nonzeros++;
    size += kernel.size;
  }
  return { nonzeros, sparsity: size === 0 ? 0 : 1 - nonzeros / size };
}
