// Makes a loaded model of a network of Equipoise, whatever file its weights are from.
import type { NormName } from '../../../attacks/types.ts';
import type { Json } from '../../checkpoints/types.ts';
import {
  countWeights,
  disposeParams,
  disposeTensors,
  type Params,
  sparsityOf,
  type Tensors,
} from '../../core/params.ts';
import { flops } from '../../models/inspect.ts';
import { type Program, runNetwork } from '../../ops/network.ts';
import type { TrainedAgainst } from '../threat.ts';
import type { LoadedModel } from './format.ts';

/** The part of a run's configuration that describes how its model was trained. */
export type Training = Pick<LoadedModel, 'trainedOn' | 'threat' | 'testLimit'>;

/** @param datasetSha256 of the data set it was trained on, where that is known */
export function trainingOf(config: Readonly<Record<string, Json>>, datasetSha256: unknown): Training {
  const { norm, epsilon, norms, dataset, testLimit } = config as {
    norm?: NormName;
    epsilon?: number;
    norms?: TrainedAgainst['norms'];
    dataset?: string;
    testLimit?: number;
  };
  const sha256 = typeof datasetSha256 === 'string' ? datasetSha256 : null;
  return {
    ...(dataset === undefined ? {} : { trainedOn: { name: dataset, sha256 } }),
    ...(norm === undefined || epsilon === undefined ? {} : { threat: { norm, epsilon, ...(norms && { norms }) } }),
    ...(testLimit === undefined ? {} : { testLimit }),
  };
}

/** A network as data, with its weights. */
export interface LoadedNetwork {
  readonly program: Program;
  /** Taken over, as is `state`. */
  readonly params: Params;
  readonly state: Tensors;
}

type File = Pick<LoadedModel['record'], 'checkpoint' | 'sha256' | 'bytes' | 'epoch' | 'step'> & {
  /** True for weights that are averaged over the steps of training. */
  readonly averaged?: boolean;
};

/** The model that a network is, run by the backend's own kernels for networks. */
export const modelOfNetwork = (
  { program, params, state }: LoadedNetwork,
  { averaged, ...file }: File,
  training: Training,
  notes: readonly string[],
): LoadedModel => ({
  model: (images) => runNetwork(program, params, state, images, { training: false }).logits,
  record: {
    ...file,
    ...(averaged && { averaged }),
    sparsity: sparsityOf(params),
    nonzeros: countWeights(params).nonzeros,
    flops: flops(program, params),
  },
  inputShape: program.inputShape,
  classes: program.classes,
  ...training,
  notes,
  dispose: () => {
    disposeParams(params);
    disposeTensors(state);
  },
});
