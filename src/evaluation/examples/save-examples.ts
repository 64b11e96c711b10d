// Writes the adversarial examples of an evaluation while they are made, and a Python program that recounts them.

import { open, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Classifier } from '../../../attacks/types.ts';
import { writeWhole } from '../../checkpoints/files/atomic-file.ts';
import {
  layOutSafetensors,
  type SafetensorsLayout,
  type TensorSpec,
} from '../../checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import { isMissing, writing } from '../../core/system-errors.ts';
import type { Dataset, PixelShape, Split } from '../../data/types.ts';
import { createFolder } from '../../files/folders.ts';
import { formatEpsilon } from '../epsilon.ts';
import type { BatchExamples } from '../measure/types.ts';
import { logitsOf } from '../targets/predict.ts';
import type { EvaluatedTarget } from '../types.ts';
import { RECOUNT, RECOUNT_FILE } from './recount.ts';

/** The file that gathers the examples of an attack until it is complete, so that an interrupted evaluation can continue. */
const partialOf = (path: string): string => `${path}.partial`;

/** An attack, as examples are named by it. */
type AttackedAt = Pick<BatchExamples, 'attack' | 'norm' | 'epsilon'>;

/** The files of examples, as far as they are told from those of other evaluations. */
export interface ExampleFiles {
  readonly folder: string;
  /** What the names of the files start with. */
  readonly prefix: string;
  readonly imageShape: PixelShape;
  /** The number of classes. */
  readonly classes: number;
  /** Which weights, images and random numbers the examples are of. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Where the examples of a model go, and what their files say.
 *
 * @param evaluated how many images are evaluated, those that are wrong without attack included
 */
export const exampleFiles = (
  folder: string,
  { checkpoint, sha256 }: Pick<EvaluatedTarget, 'checkpoint' | 'sha256'>,
  dataset: Pick<Dataset, 'name' | 'sha256' | 'imageShape' | 'classes'>,
  { seed, evaluated }: { readonly seed: number; readonly evaluated: number },
): ExampleFiles => ({
  folder,
  prefix: checkpoint,
  imageShape: dataset.imageShape,
  classes: dataset.classes.length,
  metadata: {
    checkpoint,
    checkpointSha256: sha256,
    dataset: dataset.name,
    datasetSha256: dataset.sha256,
    seed: String(seed),
    evaluated: String(evaluated),
  },
});

export interface ExampleFolder {
  /** Writes the examples of an attack on a batch at their place in its file. */
  readonly write: (made: BatchExamples) => Promise<void>;
  /** Gives the files of these attacks their names. */
  readonly finish: (attacks: readonly AttackedAt[]) => Promise<void>;
}

export interface ExampleFolderOptions extends ExampleFiles {
  readonly test: Split;
  /** The model, which is asked for the logits of the examples. */
  readonly model: Classifier;
  /** True if the files were begun by an interrupted evaluation. */
  readonly resumed: boolean;
}

/** The layout of the file of an attack's examples, `total` of them. */
function layoutOf(
  { imageShape, classes, metadata }: ExampleFiles,
  { attack, norm, epsilon }: AttackedAt,
  total: number,
): SafetensorsLayout {
  const tensors: Readonly<Record<string, TensorSpec>> = {
    adversarial: { dtype: 'F32', shape: [total, ...imageShape] },
    images: { dtype: 'U8', shape: [total, ...imageShape] },
    logits: { dtype: 'F32', shape: [total, classes] },
    indices: { dtype: 'I64', shape: [total] },
    labels: { dtype: 'I64', shape: [total] },
    survived: { dtype: 'BOOL', shape: [total] },
  };
  return layOutSafetensors(tensors, { ...metadata, attack, norm, epsilon: String(epsilon) });
}

/** True if a file has a layout: its size and, byte for byte, its header. */
async function hasLayout(path: string, { header, size }: SafetensorsLayout): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isFile() || found.size !== size) return false;
  const file = await open(path, 'r');
  try {
    const begin = Buffer.alloc(header.length);
    await file.read(begin, 0, header.length, 0);
    return begin.equals(header);
  } finally {
    await file.close();
  }
}

/**
 * Where the adversarial examples of an evaluation go: for each attack and radius one safetensors file of the images that are
 * right without attack, with `adversarial` float32 [n, height, width, channels], the very pixels that were evaluated, their
 * `logits` float32 [n, classes], the `images` uint8 that they were made of, `indices` in the test split and `labels` int64 [n],
 * and `survived` bool [n]. They are written as they are made, so that memory holds one batch. `recount.py` beside them confirms
 * the figures without Equipoise.
 */
export function exampleFolder(options: ExampleFolderOptions): ExampleFolder {
  const { folder, prefix, imageShape, classes, test, model, resumed } = options;
  const size = sizeOf(imageShape);
  const begun = new Map<string, SafetensorsLayout>();

  const begin = async (path: string, made: BatchExamples): Promise<SafetensorsLayout> => {
    const { start, total } = made;
    const layout = layoutOf(options, made, total);
    if (resumed && start > 0) {
      if (await hasLayout(partialOf(path), layout)) return layout;
      throw new InputError(
        `The examples that the interrupted evaluation saved in ${folder} are missing or damaged. Evaluate again without --resume.`,
      );
    }
    await createFolder(folder);
    const file = await open(partialOf(path), 'w');
    try {
      await writeWhole(file, layout.header, 0);
      await file.truncate(layout.size);
    } finally {
      await file.close();
    }
    return layout;
  };

  const put = async (path: string, made: BatchExamples): Promise<void> => {
    const layout = begun.get(path) ?? (await begin(path, made));
    begun.set(path, layout);
    const { start, samples, survived, adversarial } = made;
    const parts: Readonly<Record<string, [bytesEach: number, data: ArrayBufferView]>> = {
      adversarial: [4 * size, Float32Array.from(await adversarial.data())],
      images: [size, imagesAt(test, samples, size)],
      logits: [4 * classes, await logitsOf(model, adversarial)],
      indices: [8, BigInt64Array.from(samples, BigInt)],
      labels: [8, BigInt64Array.from(samples, (sample) => BigInt(test.labels[sample]))],
      survived: [1, Uint8Array.from(survived, Number)],
    };
    const file = await open(partialOf(path), 'r+');
    try {
      for (const [name, [bytesEach, { buffer, byteOffset, byteLength }]] of Object.entries(parts)) {
        const at = (layout.offsets.get(name) ?? 0) + start * bytesEach;
        await writeWhole(file, new Uint8Array(buffer, byteOffset, byteLength), at);
      }
    } finally {
      await file.close();
    }
  };

  return {
    async write(made) {
      const path = join(folder, fileName(prefix, made));
      await writing(path, () => put(path, made));
    },
    async finish(attacks) {
      if (begun.size > 0) {
        const path = join(folder, RECOUNT_FILE);
        await writing(path, () => writeFile(path, RECOUNT));
      }
      for (const attack of attacks) {
        const path = join(folder, fileName(prefix, attack));
        // Where no image is right without attack, there are no examples.
        await writing(path, () =>
          rename(partialOf(path), path).catch((error) => (isMissing(error) ? undefined : Promise.reject(error))),
        );
      }
    },
  };
}

/** The bytes of these images of a split. */
function imagesAt({ images }: Split, samples: readonly number[], size: number): Uint8Array {
  const bytes = new Uint8Array(samples.length * size);
  for (const [place, index] of samples.entries()) {
    bytes.set(images.subarray(index * size, (index + 1) * size), place * size);
  }
  return bytes;
}

/**
 * True if the examples of all these attacks have been written, of these weights, images and random numbers.
 *
 * @param total how many examples each attack has: the images that are right without attack
 */
export async function hasExamples(
  files: ExampleFiles,
  attacks: readonly Readonly<AttackedAt>[],
  total: number,
): Promise<boolean> {
  const found = await Promise.all(
    attacks.map((attack) =>
      hasLayout(join(files.folder, fileName(files.prefix, attack)), layoutOf(files, attack, total)),
    ),
  );
  return !found.includes(false);
}

/** The name of a file of examples, such as `best-pgd-20-ce-linf-8_255.safetensors`. */
const fileName = (prefix: string, { attack, norm, epsilon }: AttackedAt): string =>
  `${prefix}-${attack}-${norm}-${formatEpsilon(epsilon).replace('/', '_')}.safetensors`;
