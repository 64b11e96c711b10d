// What results of a run depend on beside its configuration: versions, kernels, the processor, the data. Two machines that
// agree in all of it compute the same bits.
import { createHash } from 'node:crypto';
import * as tf from '@tensorflow/tfjs-core';
import { foldIn, seedKey, uniform } from '../core/key.ts';
import { disposeParams, disposeTensors, trainables } from '../core/params.ts';
import { loadDataset } from '../data/load.ts';
import { version } from '../evaluation/version.ts';
import { init } from '../models/init.ts';
import { kernelsOf } from '../models/inspect.ts';
import { buildModel } from '../models/models.ts';
import { objectives } from '../objectives/objectives.ts';
import { currentBackend } from '../ops/current-backend.ts';
import { fixedSigns } from '../sparsity/signs.ts';
import { startNetwork } from '../sparsity/start-network.ts';
import type { TrainConfig } from '../training/config/config.ts';
import { lossGradients } from '../training/loss-gradients.ts';

/** Where a run's results come from. */
export interface Provenance {
  /** Version of Equipoise. */
  readonly version: string;
  /** Its name, with the build of its kernels if it has several. */
  readonly backend: string;
  /** The build of the engine's kernels; null for another backend. */
  readonly kernels: string | null;
  /** See `fingerprint`. */
  readonly fingerprint: string;
  /** The SHA-256 of the data set. */
  readonly data: string;
}

/** The provenance of what this process computes on its current backend. */
export async function provenanceHere(
  { dataset }: Pick<TrainConfig, 'dataset'>,
  { kernels, dataDirectory }: { readonly kernels: string | null; readonly dataDirectory?: string },
): Promise<Provenance> {
  return {
    version: version(),
    backend: currentBackend(),
    kernels,
    fingerprint: await fingerprint(),
    data: (await loadDataset(dataset, { directory: dataDirectory })).sha256,
  };
}

const PORTABLE = 'Relaxed SIMD may round otherwise on another processor; a sweep with --kernels simd runs anywhere.';

/** Fields in the order in which they are compared, by what messages call them, each with what to do about a difference. */
const FIELDS: readonly (readonly [keyof Provenance, string, string])[] = [
  ['version', 'Equipoise', 'Install the same version on all machines.'],
  ['kernels', 'the kernels', PORTABLE],
  ['backend', 'the backend', 'Install the same backend on all machines.'],
  ['data', 'the data of SHA-256', 'Copy the files of the data set from the machine of the sweep.'],
  ['fingerprint', 'a fixed computation with the result', PORTABLE],
];

/**
 * Why a run must not be made here: the first difference, in words; null if there is none.
 *
 * @param wanted the fields that are compared
 */
export function whyRefused(wanted: Partial<Provenance>, here: Partial<Provenance>): string | null {
  for (const [name, what, remedy] of FIELDS) {
    if (wanted[name] !== undefined && wanted[name] !== here[name]) {
      return `The run was queued for ${what} ${wanted[name] ?? 'none'}, and here it is ${here[name] ?? 'none'}. ${remedy}`;
    }
  }
  return null;
}

/**
 * 16 hexadecimal digits of the SHA-256 of a small fixed computation on the current backend: the gradients of a half sparse
 * convolutional network on random images. It does not depend on the number of threads.
 */
export async function fingerprint(): Promise<string> {
  const key = seedKey('fingerprint');
  const options = { inputShape: [12, 12, 3] as const, classes: 10, width: 0.5 };
  const program = buildModel('cnn', options);
  const { params: dense, state } = init(program, foldIn(key, 'init'));
  const params = await startNetwork(dense, {
    method: 'static',
    kernels: kernelsOf(program),
    distribution: 'uniform',
    sparsity: 0.5,
    signs: fixedSigns(foldIn(key, 'signs')),
    key: foldIn(key, 'masks'),
  }).finally(() => disposeParams(dense));
  const images = tf.tensor4d(uniform(foldIn(key, 'images'), 8 * 12 * 12 * 3), [8, 12, 12, 3]);
  const labels = tf.tensor1d([0, 1, 2, 3, 4, 5, 6, 7], 'int32');
  const hash = createHash('sha256');
  try {
    const objective = objectives.natural({});
    const found = lossGradients(program, objective, { params, state }, { images, adversarial: images, labels });
    for (const tensor of [found.loss, ...Object.values(found.gradients), ...Object.values(found.state)]) {
      const values = await tensor.data();
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
    found.loss.dispose();
    for (const tensors of [found.gradients, found.state, found.denseGradients]) disposeTensors(tensors);
  } finally {
    tf.dispose([images, labels, state, trainables(params)]);
  }
  return hash.digest('hex').slice(0, 16);
}
