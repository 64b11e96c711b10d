// Reads the weights that a training starts from (`--from`).
import { type LoadedModel, loadModel } from '../checkpoints/load-model.ts';
import { InputError } from '../core/errors.ts';
import { disposeParams, disposeTensors, isSparse, sparsityOf } from '../core/params.ts';
import { checkTestSplit } from '../data/load.ts';
import { checkWeights } from '../models/inspect.ts';
import type { Normalization, Weights } from '../models/types.ts';
import { checkedFile } from './run/fingerprint.ts';
import type { Task } from './task.ts';

/**
 * The weights and statistics of the checkpoint that a configuration starts from; owned by the caller.
 *
 * @throws InputError if the file is not given or not the one that is named, if its weights do not fit the network, are
 * sparse although the method needs dense ones, or have seen the data set's test images
 */
export async function trainedWeights({ config, program, model, from }: Task): Promise<Weights> {
  const path = await checkedFile(from ?? undefined, config.from ?? '', {
    what: 'the checkpoint to start from',
    option: 'from (--from)',
  });
  const loaded = await loadModel(path);
  const { params, state } = loaded;
  try {
    if (loaded.file.path !== path) throw damaged(loaded);
    if (typeof loaded.config.dataset === 'string') checkTestSplit(loaded.config.dataset, config.dataset);
    checkWeights(program, params, state);
    checkNormalization(loaded.model.normalize, model.normalize);
    if (config.method === 'dense' && Object.values(params).some(isSparse)) throw sparse(loaded);
  } catch (error) {
    disposeParams(params);
    disposeTensors(state);
    if (!(error instanceof InputError)) throw error;
    throw new InputError(`${path}, the checkpoint to start from: ${error.message}`, { cause: error });
  }
  return { params, state };
}

/** Refuses weights of a network that normalises its images differently: they would fit, but compute something else. */
function checkNormalization(theirs: Normalization | undefined, ours: Normalization | undefined): void {
  const words = (one: Normalization | undefined) =>
    one === undefined ? 'does not normalise its images' : `normalises its images by mean ${one.mean}, std ${one.std}`;
  if (words(theirs) === words(ours)) return;
  throw new InputError(
    `its network ${words(theirs)}, and the one to train ${words(ours)}. Give mean and std (--mean, --std) as there, or leave them out with --from.`,
  );
}

/** The configuration names the file by its content, so the one before it may not take its place unasked. */
const damaged = ({ file }: LoadedModel): InputError =>
  new InputError(`it is damaged. Give another one with --from; ${file.path}, the one before it, is whole.`);

const sparse = ({ params }: LoadedModel): InputError => {
  const sparsity = Number(sparsityOf(params).toFixed(4));
  return new InputError(
    `its kernels are sparse (${sparsity}), and the method dense has no masks. Use one-shot, at this sparsity or a higher one.`,
  );
};
