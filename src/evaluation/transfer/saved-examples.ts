// Adversarial examples that an earlier command saved, read and checked against the data set that they claim to be of.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { norms } from '../../../attacks/index.ts';
import type { NormName } from '../../../attacks/types.ts';
import type { StoredTensor } from '../../checkpoints/safetensors/safetensors.ts';
import { readSafetensors } from '../../checkpoints/safetensors/safetensors-file.ts';
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import { reading } from '../../core/system-errors.ts';
import type { Dataset } from '../../data/types.ts';
import { isWithin } from '../measure/within.ts';

/** Examples that an attack made on a network. */
export interface SavedExamples {
  readonly attack: string;
  readonly norm: NormName;
  readonly epsilon: number;
  /** The network that they were made on. */
  readonly madeOn: { readonly checkpoint: string; readonly sha256: string };
  /** Numbers of their images in the test split, each once. */
  readonly indices: Int32Array;
  /** [n · height · width · channels], pixels in [0, 1] */
  readonly pixels: Float32Array;
}

const SUFFIX = '.safetensors';

/**
 * The files of examples in a folder, in order of their names.
 *
 * @throws InputError if there is none
 */
export async function exampleFilesIn(folder: string): Promise<readonly string[]> {
  const names = (await reading(folder, () => readdir(folder))).filter((name) => name.endsWith(SUFFIX)).sort();
  if (names.length > 0) return names.map((name) => join(folder, name));
  throw new InputError(
    `Expected files of adversarial examples (${SUFFIX}) in ${folder}, got none. Make them by evaluate with --save-examples ${folder}.`,
  );
}

/**
 * The examples of a file, as `evaluate --save-examples` or `attack` writes it. Each must be of a test image of the data set, with its
 * label, and lie within the radius that the file names.
 *
 * @throws InputError that names the file, and the image that is wrong
 */
export async function readExamples(path: string, dataset: Dataset): Promise<SavedExamples> {
  const { metadata, tensors } = await readSafetensors(path, ['adversarial', 'images', 'indices', 'labels']);
  const refuse = (expected: string): never => {
    throw new InputError(`${path}: expected ${expected}. Save the examples again.`);
  };
  const { attack, norm, epsilon: radius } = metadata;
  const checkpoint = metadata.surrogate ?? metadata.checkpoint;
  const sha256 = metadata.surrogateSha256 ?? metadata.checkpointSha256;
  const epsilon = Number(radius);
  if (!(attack && checkpoint && sha256 && Object.hasOwn(norms, norm ?? '') && radius && epsilon >= 0)) {
    refuse(
      'metadata with attack, norm, epsilon, checkpoint and checkpointSha256, as in a file of adversarial examples',
    );
  }
  const { imageShape, test, name } = dataset;
  const size = sizeOf(imageShape);
  const count = tensors.indices?.shape[0] ?? 0;
  const shape = [count, ...imageShape];
  const take = (key: string, dtypes: readonly StoredTensor['dtype'][], wanted: readonly number[]): StoredTensor => {
    const tensor = tensors[key];
    if (tensor === undefined || !dtypes.includes(tensor.dtype) || tensor.shape.join() !== wanted.join()) {
      refuse(
        `${key} as ${dtypes.join(' or ')} [${wanted.join(', ')}] for images of ${name}, got ${tensor === undefined ? 'none' : `${tensor.dtype} [${tensor.shape.join(', ')}]`}`,
      );
    }
    return tensor;
  };
  if (count === 0) refuse('at least one example');
  const indices = Int32Array.from(take('indices', ['I64'], [count]).data as BigInt64Array, Number);
  const labels = Int32Array.from(take('labels', ['I64'], [count]).data as BigInt64Array, Number);
  const images = take('images', ['U8'], shape).data as Uint8Array;
  const adversarial = take('adversarial', ['F32', 'U8'], shape);
  const pixels =
    adversarial.dtype === 'U8'
      ? Float32Array.from(adversarial.data, (byte) => byte / 255)
      : (adversarial.data as Float32Array);
  const seen = new Set<number>();
  for (const [place, index] of indices.entries()) {
    if (index < 0 || index >= test.count || seen.has(index)) {
      refuse(`numbers of different test images below ${test.count}, got ${index} at place ${place}`);
    }
    seen.add(index);
    const image = images.subarray(place * size, (place + 1) * size);
    if (!image.every((byte, i) => byte === test.images[index * size + i]) || labels[place] !== test.labels[index]) {
      throw new InputError(
        `${path}: example ${place} is not of test image ${index} of ${name}, or has another label. Name the data set that the examples were made of with --dataset.`,
      );
    }
    const clean = Float32Array.from(image, (byte) => byte / 255);
    if (!isWithin(pixels.subarray(place * size, (place + 1) * size), clean, norm as NormName, epsilon)) {
      refuse(
        `pixels in [0, 1] within ${norm} ${radius} of their image, got an example ${place} (test image ${index}) outside`,
      );
    }
  }
  return { attack, norm: norm as NormName, epsilon, madeOn: { checkpoint, sha256 }, indices, pixels };
}
