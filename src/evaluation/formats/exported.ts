// Networks that `equipoise export --to pytorch` wrote, as a format of models.
import { basename } from 'node:path';
import { checkpointOf } from '../../checkpoints/exchange/network.ts';
import { sha256Of } from '../../checkpoints/files/digest.ts';
import { largestWeights, readWhole } from '../../checkpoints/files/inside.ts';
import { decodePytorch } from '../../checkpoints/pytorch/exported.ts';
import { decodeSafetensors } from '../../checkpoints/safetensors/safetensors.ts';
import { buildModel } from '../../models/models.ts';
import { MODEL_METADATA } from '../../models/pytorch.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';
import { modelOfNetwork, trainingOf } from './network.ts';

/** What `equipoise export --to pytorch` wrote: a state dict that says which network it is and what it was trained on. */
export const exported: ModelFormat = {
  description: 'what equipoise export --to pytorch wrote',
  recognises: ({ metadata }) => metadata !== undefined && Object.hasOwn(metadata, MODEL_METADATA),
  load,
};

async function load({ path }: LoadRequest): Promise<LoadedModel> {
  const bytes = await readWhole(path, largestWeights());
  const { model, config, epoch, step, progress, params, state } = checkpointOf(
    decodePytorch(decodeSafetensors(bytes, path), path),
  );
  return modelOfNetwork(
    { program: buildModel(model.name, model), params, state },
    {
      checkpoint: basename(path, '.safetensors'),
      sha256: sha256Of(bytes),
      bytes: bytes.length,
      epoch,
      step,
      averaged: progress.weights === 'averaged',
    },
    trainingOf(config, progress.datasetSha256),
    [],
  );
}
