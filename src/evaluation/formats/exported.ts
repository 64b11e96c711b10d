import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { NormName } from '../../../attacks/types.ts';
import { checkpointOf } from '../../checkpoints/network.ts';
import { decodePytorch } from '../../checkpoints/pytorch-file.ts';
import { countWeights, disposeParams, disposeTensors, sparsityOf } from '../../core/params.ts';
import { buildModel, flops, MODEL_METADATA } from '../../models/index.ts';
import { runNetwork } from '../../ops/network.ts';
import { sha256Of } from './digest.ts';
import type { LoadedModel, LoadRequest, ModelFormat } from './format.ts';

/** What `equipoise export --to pytorch` wrote: a state dict that says which network it is and what it was trained on. */
export const exported: ModelFormat = {
  description: 'what equipoise export --to pytorch wrote',
  recognises: ({ metadata }) => metadata !== undefined && Object.hasOwn(metadata, MODEL_METADATA),
  load,
};

async function load({ path }: LoadRequest): Promise<LoadedModel> {
  const bytes = new Uint8Array(await readFile(path));
  const { model, config, epoch, step, progress, params, state } = checkpointOf(decodePytorch(bytes, path));
  const program = buildModel(model.name, model);
  const { norm, epsilon, dataset, testLimit } = config as {
    norm?: NormName;
    epsilon?: number;
    dataset?: string;
    testLimit?: number;
  };
  const { datasetSha256 } = progress;
  const sha256 = typeof datasetSha256 === 'string' ? datasetSha256 : null;
  return {
    model: (images) => runNetwork(program, params, state, images, { training: false }).logits,
    record: {
      checkpoint: basename(path, '.safetensors'),
      sha256: sha256Of(bytes),
      bytes: bytes.length,
      epoch,
      step,
      sparsity: sparsityOf(params),
      nonzeros: countWeights(params).nonzeros,
      flops: flops(program, params),
    },
    inputShape: program.inputShape,
    classes: program.classes,
    ...(dataset === undefined ? {} : { trainedOn: { name: dataset, sha256 } }),
    ...(norm === undefined || epsilon === undefined ? {} : { threat: { norm, epsilon } }),
    ...(testLimit === undefined ? {} : { testLimit }),
    notes: [],
    dispose: () => {
      disposeParams(params);
      disposeTensors(state);
    },
  };
}
