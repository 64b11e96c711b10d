import { join } from 'node:path';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { UsageError } from '../../core/errors.ts';
import { seedKey, uniform } from '../../core/key.ts';
import { disposeParams, disposeTensors } from '../../core/params.ts';
import { sizeOf } from '../../core/structure.ts';
import { buildModel } from '../../models/models.ts';
import { runNetwork } from '../../ops/network.ts';
import { readCheckpoint } from '../checkpoint.ts';
import { writeAtomically } from '../files/atomic-file.ts';
import { decodePytorch, encodePytorch } from '../pytorch/exported.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../safetensors/encode.ts';
import { decodeSafetensors } from '../safetensors/safetensors.ts';
import { restoreCheckpoint } from '../safetensors/stored.ts';
import type { Checkpoint } from '../types.ts';
import { encodeLayers, type LayersFiles, loadLayers, WEIGHTS_FILE } from './layers-file.ts';
import { checkpointOf, networkOf, networkOnly } from './network.ts';
import { MODEL_JSON } from './saved-model.ts';

/** What was exported: files by their paths below `out`, and how well their network agrees. */
interface Encoded {
  readonly files: Readonly<Record<string, Uint8Array | string>>;
  /** The logits of what the files hold, on these images. */
  logits(images: Tensor4D): Promise<Tensor2D>;
}

/** Every format that a network is exported to; a new one is a row here. */
const FORMATS = {
  compact: async (checkpoint, half) => {
    const bytes = await encodeCheckpoint(checkpoint, { half });
    return {
      files: { '': bytes },
      logits: async (images) => logitsOfOwned(restoreCheckpoint(decodeCheckpoint(bytes, 'The export')), images),
    };
  },
  pytorch: async (checkpoint) => {
    const bytes = encodePytorch(await networkOf(checkpoint));
    return {
      files: { '': bytes },
      logits: async (images) =>
        logitsOfOwned(checkpointOf(decodePytorch(decodeSafetensors(bytes), 'The export')), images),
    };
  },
  layers: async (checkpoint) => {
    const files = await encodeLayers(await networkOf(checkpoint));
    return {
      files: { [WEIGHTS_FILE]: files.weights, [MODEL_JSON]: files.modelJson },
      logits: (images) => layersLogits(files, images),
    };
  },
} as const satisfies Readonly<Record<string, (checkpoint: Checkpoint, half: boolean) => Promise<Encoded>>>;

export type ExportFormat = keyof typeof FORMATS;

export const EXPORT_FORMATS = Object.keys(FORMATS) as ExportFormat[];

export interface Exported {
  readonly files: readonly string[];
  /** Of all files together. */
  readonly bytes: number;
  /** How far a logit of the exported network is from that of the checkpoint, at most, on so many random images. */
  readonly largestDifference: number;
  readonly images: number;
  /** What had to be passed over, for people. */
  readonly warnings: readonly string[];
}

const IMAGES = 16;
/** Other kernels sum in another order; what is wrong differs by far more. */
const TOLERANCE = 1e-4;
/** A weight in half precision is off by up to 2⁻¹¹ of itself. */
const HALF_TOLERANCE = 1e-2;

export interface ExportOptions {
  readonly to: ExportFormat;
  /** The file, for `layers` the folder. */
  readonly out: string;
  /** With `compact`: kernels in half precision. */
  readonly half?: boolean;
}

/**
 * Writes the network of a checkpoint in another format, once its logits there are found to be those of the checkpoint.
 *
 * - `compact`: a checkpoint without what only training needs; its sparse kernels are their nonzeros, whose positions are
 *   stored as gaps of a byte each, mostly.
 * - `pytorch`: a safetensors file with the state dict that PyTorch's code of the network has.
 * - `layers`: a folder with a LayersModel of TensorFlow.js; needs `@tensorflow/tfjs-layers`.
 *
 * @param path a checkpoint
 * @throws InputError if there is no such checkpoint or it is damaged
 * @throws UsageError for half precision in another format than `compact`
 */
export async function exportModel(path: string, { to, out, half = false }: ExportOptions): Promise<Exported> {
  if (half && to !== 'compact') {
    throw new UsageError(`Expected half precision with the format compact alone, got ${to}. Leave half out.`);
  }
  const { stored, warnings } = await readCheckpoint(path);
  const needed = Object.entries(stored.tensors).filter(([name]) => /^(params|state)\//.test(name));
  const checkpoint = networkOnly(restoreCheckpoint({ ...stored, tensors: Object.fromEntries(needed) }));
  try {
    const { files, logits } = await FORMATS[to](checkpoint, half);
    const largestDifference = await largestDifferenceOf(checkpoint, logits, half ? HALF_TOLERANCE : TOLERANCE);
    const written: string[] = [];
    for (const [name, content] of Object.entries(files)) {
      const file = name === '' ? out : join(out, name);
      await writeAtomically(file, content);
      written.push(file);
    }
    const bytes = Object.values(files).reduce((total, content) => total + Buffer.byteLength(content), 0);
    return { files: written, bytes, largestDifference, images: IMAGES, warnings };
  } finally {
    disposeNetwork(checkpoint);
  }
}

/** @throws Error where the export computes something else */
async function largestDifferenceOf(
  checkpoint: Checkpoint,
  logits: Encoded['logits'],
  tolerance: number,
): Promise<number> {
  const shape = [IMAGES, ...checkpoint.model.inputShape] as [number, number, number, number];
  const images = tf.tensor4d(uniform(seedKey('export'), sizeOf(shape)), shape);
  const tensors: Tensor2D[] = [];
  try {
    tensors.push(logitsOf(checkpoint, images));
    tensors.push(await logits(images));
    const [expected, actual] = await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const difference = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i])), 0);
    if (difference <= tolerance * largest) return difference;
    throw new Error(
      `The exported network gives other logits than the checkpoint, by up to ${difference}; nothing was written.`,
    );
  } finally {
    tf.dispose([images, ...tensors]);
  }
}

/** The logits of a checkpoint's network on these images. */
function logitsOf({ model, params, state }: Checkpoint, images: Tensor4D): Tensor2D {
  return runNetwork(buildModel(model.name, model), params, state, images, { training: false }).logits;
}

function logitsOfOwned(checkpoint: Checkpoint, images: Tensor4D): Tensor2D {
  try {
    return logitsOf(checkpoint, images);
  } finally {
    disposeNetwork(checkpoint);
  }
}

async function layersLogits({ modelJson, weights }: LayersFiles, images: Tensor4D): Promise<Tensor2D> {
  const { loadLayersModel } = await loadLayers();
  const { modelTopology, weightsManifest } = JSON.parse(modelJson);
  const model = await loadLayersModel(
    tf.io.fromMemory({
      modelTopology,
      weightSpecs: weightsManifest[0].weights,
      weightData: new Uint8Array(weights).buffer,
    }),
  );
  try {
    return tf.tidy(() => model.apply(images, { training: false }) as Tensor2D);
  } finally {
    model.dispose();
  }
}

function disposeNetwork({ params, state }: Checkpoint): void {
  disposeParams(params);
  disposeTensors(state);
}
