// Models that an ES module of the user exports.
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { differentiably } from '../../../attacks/models/classifier-of.ts';
import { withoutFinalActivation } from '../../../attacks/models/final-activation.ts';
import type { AppliedModel, AttackedModel } from '../../../attacks/types.ts';
import { sha256Of } from '../../checkpoints/files/digest.ts';
import { InputError, messageOf, UsageError } from '../../core/errors.ts';
import { inWords, isMissing } from '../../core/system-errors.ts';
import { LARGEST_TEXT, readRegular } from '../../files/regular-file.ts';
import { activationNote, type LoadedModel, type LoadRequest, type ModelFormat } from './format.ts';

/**
 * An ES module that exports a `classifier`: a function from images [batch, height, width, channels] to logits, or anything
 * with the `apply` of a LayersModel; or a function `load`, which is given TensorFlow.js and returns one. The module is run.
 */
export const esModule: ModelFormat = {
  description: 'an ES module that exports a classifier, named by --module',
  runsOthersCode: true,
  recognises: () => false,
  load,
};

async function load({ path }: LoadRequest): Promise<LoadedModel> {
  const bytes = await readRegular(path, LARGEST_TEXT, 'Give another file.').catch((error) => {
    if (isMissing(error)) throw new UsageError(`--module names an ES module; there is no ${path}.`, { cause: error });
    throw inWords(path, 'read', error);
  });
  let model: AttackedModel;
  try {
    model = await classifierIn(path, await import(pathToFileURL(resolve(path)).href));
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`The module ${path} failed when it was run: ${messageOf(error)}`, { cause: error });
  }
  const logits = typeof model === 'function' ? undefined : withoutFinalActivation(model);
  return {
    model: typeof model === 'function' ? model : differentiably(logits?.model ?? model, model),
    record: {
      checkpoint: basename(path),
      sha256: sha256Of(bytes),
      bytes: bytes.length,
      epoch: null,
      step: null,
      sparsity: null,
      nonzeros: null,
      flops: null,
    },
    inputShape: null,
    classes: null,
    notes: [`${path} was run, as --module asks.`, ...(logits ? [activationNote(logits)] : [])],
    dispose: () => undefined,
  };
}

async function classifierIn(path: string, exported: Readonly<Record<string, unknown>>): Promise<AttackedModel> {
  const { classifier, load: make } = exported;
  const model = typeof make === 'function' && classifier === undefined ? await make(tf) : await classifier;
  if (typeof model === 'function' || typeof (model as AppliedModel | undefined)?.apply === 'function') {
    return model as AttackedModel;
  }
  throw new InputError(
    `The module ${path} must export classifier, a function from images [batch, height, width, channels] in [0, 1] to logits, or load(tf), which returns one; it exports ${Object.keys(exported).join(', ') || 'nothing'}.`,
  );
}
