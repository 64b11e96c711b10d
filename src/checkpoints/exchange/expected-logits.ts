// Compares a model with logits that its original software saved, such as PyTorch: the sure way to find out that a network
// was read as another one with the same weights.
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/errors.ts';
import { largestWeights, readWhole } from '../files/inside.ts';
import { floatsOf } from '../safetensors/floats.ts';
import { decodeSafetensors } from '../safetensors/safetensors.ts';

/** Relative to the largest logit. Kernels that sum in another order stay far below; another network is far above. */
const TOLERANCE = 1e-3;

/** How far beyond [0, 1] a pixel may lie by rounding. */
const SLACK = 1e-6;

/**
 * Checks that a model gives the logits of a safetensors file for the images of that file: `images` [n, channels, height,
 * width], pixels in [0, 1] or bytes, and `logits` [n, classes].
 *
 * @param classify takes images [n, height, width, channels] in [0, 1]
 * @throws InputError with the largest difference if the logits differ, or if the file is another one
 */
export async function checkExpectedLogits(path: string, classify: (images: Tensor4D) => Tensor2D): Promise<void> {
  const { images, logits } = decodeSafetensors(await readWhole(path, largestWeights()), path).tensors;
  const n = images?.shape[0];
  if (images?.shape.length !== 4 || logits?.shape.length !== 2 || !n || logits.shape[0] !== n) {
    const of = (shape: readonly number[] | undefined) => (shape === undefined ? 'none' : `[${shape.join(', ')}]`);
    throw new InputError(
      `--expect-logits takes a safetensors file with images [n, channels, height, width] and logits [n, classes]; ${path} has images ${of(images?.shape)} and logits ${of(logits?.shape)}.`,
    );
  }
  const expected = floatsOf(logits);
  const unknown = expected.find((value) => !Number.isFinite(value));
  if (unknown !== undefined) {
    throw new InputError(
      `--expect-logits expects finite logits in float32; ${path} has one that is ${unknown}. Save the logits of other images.`,
    );
  }
  const range = images.dtype === 'U8' ? 255 : 1;
  const pixels = floatsOf(images);
  const outside = pixels.find((pixel) => !(pixel >= -SLACK && pixel <= range + SLACK));
  if (outside !== undefined) {
    throw new InputError(
      `--expect-logits expects images with pixels in [0, 1], or bytes (torch.uint8); ${path} has a pixel ${Number(outside.toPrecision(3))}. Save the images as they are before any normalisation, and give that to --mean, --std and --bounds.`,
    );
  }
  const given = await logitsOf(classify, pixels, images.shape, range).catch((error: unknown) => {
    throw new InputError(`The model cannot take the images of ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  });
  if (given.length !== expected.length) {
    throw new InputError(
      `The model gives ${given.length / n} logits for an image; ${path} has ${expected.length / n}. It was read as another network, or the file is of another model.`,
    );
  }
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const difference = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - given[i])), 0);
  if (difference <= TOLERANCE * largest) return;
  throw new InputError(
    `The model's logits differ from those in ${path} by up to ${Number(difference.toPrecision(3))}, where the largest is ${Number(largest.toPrecision(3))}. It was read as another network or its images are preprocessed otherwise: check --stem, --pools, --activation, --mean, --std and --bounds.`,
  );
}

async function logitsOf(
  classify: (images: Tensor4D) => Tensor2D,
  pixels: Float32Array,
  shape: readonly number[],
  range: number,
): Promise<Float32Array> {
  const logits = tf.tidy(() => {
    const images = tf.div(tf.tensor4d(pixels, shape as [number, number, number, number]), range);
    return classify(tf.transpose(images, [0, 2, 3, 1]) as Tensor4D);
  });
  return (await logits.data<'float32'>().finally(() => logits.dispose())) as Float32Array;
}
