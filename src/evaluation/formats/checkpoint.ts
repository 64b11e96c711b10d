// Checkpoints of Equipoise as a format of models.
import { basename } from 'node:path';
import { loadModel } from '../../checkpoints/load-model.ts';
import { checkpointFiles } from '../targets/checkpoint-files.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';
import { modelOfNetwork, trainingOf } from './network.ts';

/** A checkpoint that training wrote, or a run's folder for those that it keeps. */
export const checkpoint: ModelFormat = {
  description: "a run's folder, or a checkpoint of one",
  recognises: ({ kind, path, metadata, modelJson, isSavedModel }) =>
    (kind === 'folder' && modelJson === undefined && !isSavedModel) ||
    (metadata !== undefined && Object.hasOwn(metadata, 'format_version')) ||
    // Damaged, perhaps beyond recognition; the one before it may be whole.
    (kind === 'file' && metadata === undefined && path.endsWith('.safetensors')),
  files: checkpointFiles,
  load,
};

async function load({ path }: LoadRequest): Promise<LoadedModel> {
  const { config, epoch, step, averaged, warnings, datasetSha256, file, ...network } = await loadModel(path);
  const { sha256, bytes } = file;
  return modelOfNetwork(
    network,
    { checkpoint: basename(path, '.safetensors'), sha256, bytes, epoch, step, averaged },
    trainingOf(config, datasetSha256),
    warnings,
  );
}
