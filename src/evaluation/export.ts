// Writes the network of a checkpoint in other formats. Each is read back first, as an evaluation reads it, and must give the
// same logits.
import { basename, dirname, join } from 'node:path';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { readCheckpoint } from '../checkpoints/checkpoint.ts';
import { encodeLayers, type LayersFiles, loadLayers, WEIGHTS_FILE } from '../checkpoints/exchange/layers-file.ts';
import { checkpointOf, networkOf, networkOnly } from '../checkpoints/exchange/network.ts';
import { MODEL_JSON } from '../checkpoints/exchange/saved-model.ts';
import { writeTogether } from '../checkpoints/files/atomic-file.ts';
import { CODE_FILE, pytorchCode } from '../checkpoints/pytorch/code.ts';
import { decodePytorch, encodePytorch } from '../checkpoints/pytorch/exported.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../checkpoints/safetensors/encode.ts';
import { decodeSafetensors } from '../checkpoints/safetensors/safetensors.ts';
import { restoreCheckpoint } from '../checkpoints/safetensors/stored.ts';
import type { Checkpoint } from '../checkpoints/types.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { seedKey, uniform } from '../core/key.ts';
import { disposeParams, disposeTensors } from '../core/params.ts';
import { sizeOf } from '../core/structure.ts';
import { withLock } from '../files/lock.ts';
import { readText } from '../files/regular-file.ts';
import { buildModel } from '../models/models.ts';
import { runNetwork } from '../ops/network.ts';

/** An exported network. */
interface Encoded {
  /** Contents by path, for the path that was asked for; of files that only make sense together, last the one that readers begin with. */
  files(out: string): Readonly<Record<string, Uint8Array | string>>;
  /** The logits of what the files hold, on these images. */
  logits(images: Tensor4D): Promise<Tensor2D>;
}

/** Every format that a network is exported to; a new one is a row here. */
const FORMATS = {
  compact: async (checkpoint, half) => {
    const bytes = await encodeCheckpoint(checkpoint, { half });
    return {
      files: (out) => ({ [out]: bytes }),
      logits: async (images) => logitsOfOwned(restoreCheckpoint(decodeCheckpoint(bytes, 'The export')), images),
    };
  },
  pytorch: async (checkpoint) => {
    const bytes = encodePytorch(await networkOf(checkpoint));
    return {
      // The code is new or as it was, so the weights never lie beside that of another network.
      files: (out) => ({ [out]: bytes, [join(dirname(out), CODE_FILE)]: pytorchCode(checkpoint.model) }),
      logits: async (images) =>
        logitsOfOwned(checkpointOf(decodePytorch(decodeSafetensors(bytes), 'The export')), images),
    };
  },
  layers: async (checkpoint) => {
    const files = await encodeLayers(await networkOf(checkpoint));
    return {
      files: (out) => ({ [join(out, WEIGHTS_FILE)]: files.weights, [join(out, MODEL_JSON)]: files.modelJson }),
      logits: (images) => layersLogits(files, images),
    };
  },
  onnx: async (checkpoint) => {
    const [{ encodeOnnx }, { onnxModelOf }] = await Promise.all([
      import('../checkpoints/onnx/encode.ts'),
      import('../checkpoints/onnx/network.ts'),
    ]);
    const bytes = encodeOnnx(onnxModelOf(await networkOf(checkpoint)));
    return { files: (out) => ({ [out]: bytes }), logits: (images) => onnxLogits(bytes, images) };
  },
} as const satisfies Readonly<Record<string, (checkpoint: Checkpoint, half: boolean) => Promise<Encoded>>>;

/** The names of the formats that a network is exported to. */
export type ExportFormat = keyof typeof FORMATS;

/** All formats that a network is exported to. */
export const EXPORT_FORMATS = Object.keys(FORMATS) as ExportFormat[];

/** What an export wrote, and how well its network agrees with the checkpoint. */
export interface Exported {
  readonly files: readonly string[];
  /** Size of all files together. */
  readonly bytes: number;
  /** The largest difference between a logit of the exported network and of the checkpoint, and the number of random images. */
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

/** How a network is exported. */
export interface ExportOptions {
  readonly to: ExportFormat;
  /** The file, for `layers` the folder. */
  readonly out: string;
  /** Stores kernels in half precision; only with `compact`. */
  readonly half?: boolean;
}

/**
 * Writes the network of a checkpoint in another format, once its logits there are found to be those of the checkpoint.
 *
 * - `compact`: a checkpoint without what only training needs; its sparse kernels are their nonzeros, whose positions are
 *   stored as gaps of a byte each, mostly.
 * - `pytorch`: a safetensors file with the state dict that PyTorch's code of the network has, and that code as `model.py`.
 * - `layers`: a folder with a LayersModel of TensorFlow.js; needs `@tensorflow/tfjs-layers`.
 * - `onnx`: an ONNX file, whose images are [batch, channels, height, width].
 *
 * @param path a checkpoint
 * @throws InputError if there is no such checkpoint, it is damaged, or another `model.py` lies where one would be written
 * @throws UsageError for half precision in another format than `compact`
 */
export async function exportModel(path: string, { to, out, half = false }: ExportOptions): Promise<Exported> {
  if (half && to !== 'compact') {
    throw new UsageError(`Half precision applies only to the format compact, got ${to}. Leave half out.`);
  }
  const { stored, warnings } = await readCheckpoint(path);
  const needed = Object.entries(stored.tensors).filter(([name]) => /^(params|state)\//.test(name));
  const checkpoint = networkOnly(restoreCheckpoint({ ...stored, tensors: Object.fromEntries(needed) }));
  try {
    const encoded = await FORMATS[to](checkpoint, half);
    const files = Object.entries(encoded.files(out));
    const largestDifference = await largestDifferenceOf(checkpoint, encoded.logits, half ? HALF_TOLERANCE : TOLERANCE);
    const last = files[files.length - 1][0];
    // Two exports to one place are written one after the other, so their files are not mixed.
    await withLock(`${last}.lock`, { name: out, waits: true }, async () => {
      for (const [file, content] of files) await keepOtherCode(file, content);
      await writeTogether(files);
    });
    const bytes = files.reduce((total, [, content]) => total + Buffer.byteLength(content), 0);
    return { files: files.map(([file]) => file), bytes, largestDifference, images: IMAGES, warnings };
  } finally {
    disposeNetwork(checkpoint);
  }
}

/**
 * The name `model.py` is given, so it may be the user's own code, or that of another export.
 *
 * @throws InputError if such a file would be lost
 */
async function keepOtherCode(file: string, content: Uint8Array | string): Promise<void> {
  if (basename(file) !== CODE_FILE) return;
  const found = await readText(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return content;
    throw error;
  });
  if (found === content) return;
  throw new InputError(
    `${file} holds other code than that of this network; expected no such file, or the same code. Give --out in another folder, or move that file away.`,
  );
}

/** @throws Error if the export computes something else */
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

async function onnxLogits(bytes: Uint8Array<ArrayBuffer>, images: Tensor4D): Promise<Tensor2D> {
  const { decodeOnnx, onnxClassifier } = await import('./formats/onnx/load.ts');
  const { graph, weights } = decodeOnnx(bytes, 'The export');
  const { model, dispose } = onnxClassifier(graph, weights, images.shape.slice(1) as [number, number, number]);
  try {
    return model(images);
  } finally {
    dispose();
  }
}
