import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Classifier, NormName } from '../../attacks/types.ts';
import { previousOf } from '../checkpoints/atomic-file.ts';
import { hasCheckpoint } from '../checkpoints/checkpoint.ts';
import { loadModel } from '../checkpoints/index.ts';
import { InputError } from '../core/errors.ts';
import { countWeights, disposeParams, disposeTensors, sparsityOf } from '../core/params.ts';
import { flops } from '../models/index.ts';
import { runNetwork } from '../ops/network.ts';
import type { EvaluatedTarget } from './types.ts';

/** A model that can be evaluated, whatever it was loaded from; it owns its weights until `dispose`. */
export interface Target {
  readonly classify: Classifier;
  readonly record: EvaluatedTarget;
  /** [height, width, channels] of one image, and the number of classes. */
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  /** What it was trained on and against, as far as that is known. */
  readonly trainedOn: { readonly name: string; readonly sha256: string | null } | null;
  readonly threat: { readonly norm: NormName; readonly epsilon: number } | null;
  readonly testLimit: number | null;
  /** What had to be passed over in loading it, for people. */
  readonly warnings: readonly string[];
  dispose(): void;
}

/** The checkpoints that a run keeps, in the order of tables. */
const KEPT = ['best', 'last'] as const;
const EXTENSION = '.safetensors';

/**
 * The checkpoint files that a path stands for: a file itself, or those that a run's folder keeps.
 *
 * @throws InputError if there is no such file, or no checkpoint in the folder
 */
export async function checkpointFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => null);
  if (!found?.isDirectory()) {
    if (found || (await hasCheckpoint(path))) return [path];
    throw new InputError(`There is no ${path}. Give a checkpoint (a ${EXTENSION} file) or a run's folder.`);
  }
  const files: string[] = [];
  for (const name of KEPT) {
    const file = join(path, 'checkpoints', name + EXTENSION);
    if (await hasCheckpoint(file)) files.push(file);
  }
  if (files.length > 0) return files;
  throw new InputError(
    `The folder ${path} holds no checkpoints/${KEPT.map((name) => name + EXTENSION).join(' or checkpoints/')}. Give a run's folder, or a checkpoint.`,
  );
}

/** Where the evaluations of a checkpoint in a run's folder are kept; null for one that lies elsewhere. */
export const recordPath = (checkpoint: string): string | null =>
  basename(dirname(checkpoint)) === 'checkpoints' ? join(dirname(dirname(checkpoint)), 'evaluation.json') : null;

/** Which checkpoint a file is: its name, and the SHA-256 of its content. */
export const checkpointIdentity = async (path: string): Promise<Pick<EvaluatedTarget, 'checkpoint' | 'sha256'>> => ({
  checkpoint: basename(path, EXTENSION),
  sha256: digestOf(await readNewest(path)),
});

/** The file, or the version before where a crash left only that. */
const readNewest = (path: string): Promise<Buffer> => readFile(path).catch(() => readFile(previousOf(path)));

const digestOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/**
 * The model of one of our checkpoints, on the current backend.
 *
 * @throws InputError if it is damaged or no checkpoint
 */
export async function loadTarget(path: string): Promise<Target> {
  const { config, program, params, state, epoch, step, warnings, datasetSha256 } = await loadModel(path);
  const bytes = await readNewest(path);
  const { norm, epsilon, dataset, testLimit } = config as {
    norm?: NormName;
    epsilon?: number;
    dataset?: string;
    testLimit?: number;
  };
  return {
    classify: (images) => runNetwork(program, params, state, images, { training: false }).logits,
    record: {
      checkpoint: basename(path, EXTENSION),
      sha256: digestOf(bytes),
      epoch,
      step,
      sparsity: sparsityOf(params),
      nonzeros: countWeights(params).nonzeros,
      flops: flops(program, params),
      bytes: bytes.length,
    },
    inputShape: program.inputShape,
    classes: program.classes,
    trainedOn: dataset === undefined ? null : { name: dataset, sha256: datasetSha256 },
    threat: norm !== undefined && epsilon !== undefined ? { norm, epsilon } : null,
    testLimit: testLimit ?? null,
    warnings,
    dispose: () => {
      disposeParams(params);
      disposeTensors(state);
    },
  };
}
