import { basename } from 'node:path';
import type { NormName } from '../../../attacks/types.ts';
import { loadModel } from '../../checkpoints/index.ts';
import { countWeights, disposeParams, disposeTensors, sparsityOf } from '../../core/params.ts';
import { flops } from '../../models/index.ts';
import { runNetwork } from '../../ops/network.ts';
import { checkpointFiles } from '../checkpoint-files.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';

/** A checkpoint that training wrote, or a run's folder for those that it keeps. */
export const checkpoint: ModelFormat = {
  description: "a run's folder, or a checkpoint of one",
  recognises: ({ kind, path, metadata, modelJson }) =>
    (kind === 'folder' && modelJson === undefined) ||
    (metadata !== undefined && Object.hasOwn(metadata, 'format_version')) ||
    // Damaged, perhaps beyond recognition; the one before it may be whole.
    (kind === 'file' && metadata === undefined && path.endsWith('.safetensors')),
  files: checkpointFiles,
  load,
};

async function load({ path }: LoadRequest): Promise<LoadedModel> {
  const { config, program, params, state, epoch, step, warnings, datasetSha256, file } = await loadModel(path);
  const { norm, epsilon, dataset, testLimit } = config as {
    norm?: NormName;
    epsilon?: number;
    dataset?: string;
    testLimit?: number;
  };
  return {
    model: (images) => runNetwork(program, params, state, images, { training: false }).logits,
    record: {
      checkpoint: basename(path, '.safetensors'),
      sha256: file.sha256,
      epoch,
      step,
      sparsity: sparsityOf(params),
      nonzeros: countWeights(params).nonzeros,
      flops: flops(program, params),
      bytes: file.bytes,
    },
    inputShape: program.inputShape,
    classes: program.classes,
    ...(dataset === undefined ? {} : { trainedOn: { name: dataset, sha256: datasetSha256 } }),
    ...(norm === undefined || epsilon === undefined ? {} : { threat: { norm, epsilon } }),
    ...(testLimit === undefined ? {} : { testLimit }),
    notes: warnings,
    dispose: () => {
      disposeParams(params);
      disposeTensors(state);
    },
  };
}
