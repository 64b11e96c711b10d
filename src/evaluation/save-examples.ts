import { mkdir, open, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { writeWhole } from '../checkpoints/atomic-file.ts';
import { layOutSafetensors, type SafetensorsLayout, type TensorSpec } from '../checkpoints/safetensors.ts';
import { isMissing, writing } from '../checkpoints/system-errors.ts';
import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import type { PixelShape, Split } from '../data/index.ts';
import { formatEpsilon } from './epsilon.ts';
import type { AttackedBatch } from './measure.ts';

/** Where the examples of an attack are gathered until they are all there, so that an interrupted evaluation goes on. */
const partialOf = (path: string): string => `${path}.partial`;

/** An attack, as examples are named by it. */
type AttackedAt = Pick<AttackedBatch, 'attack' | 'norm' | 'epsilon'>;

export interface ExampleFolder {
  /** Writes the examples of an attack on a batch at their place in its file. */
  readonly write: (made: AttackedBatch) => Promise<void>;
  /** Gives the files of these attacks their names. */
  readonly finish: (attacks: readonly AttackedAt[]) => Promise<void>;
}

export interface ExampleFolderOptions {
  readonly folder: string;
  /** What the names of the files start with. */
  readonly prefix: string;
  readonly imageShape: PixelShape;
  readonly test: Split;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the files were begun by an interrupted evaluation. */
  readonly resumed: boolean;
}

/**
 * Where the adversarial examples of an evaluation go: for each attack and radius one safetensors file of the images that are
 * right without attack, with `adversarial` float32 [n, height, width, channels], the very pixels that were evaluated,
 * `indices` in the test split and `labels` int64 [n], and `survived` bool [n]. They are written as they are made, so that
 * memory holds one batch.
 */
export function exampleFolder(options: ExampleFolderOptions): ExampleFolder {
  const { folder, prefix, imageShape, test, metadata, resumed } = options;
  const begun = new Map<string, SafetensorsLayout>();

  const begin = async (path: string, made: AttackedBatch): Promise<SafetensorsLayout> => {
    const { attack, norm, epsilon, start, total } = made;
    const tensors: Readonly<Record<string, TensorSpec>> = {
      adversarial: { dtype: 'F32', shape: [total, ...imageShape] },
      indices: { dtype: 'I64', shape: [total] },
      labels: { dtype: 'I64', shape: [total] },
      survived: { dtype: 'BOOL', shape: [total] },
    };
    const layout = layOutSafetensors(tensors, { ...metadata, attack, norm, epsilon: String(epsilon) });
    if (resumed && start > 0) {
      const there = await stat(partialOf(path)).catch(() => null);
      if (there?.size === layout.size) return layout;
      throw new InputError(
        `The examples that the interrupted evaluation had saved in ${folder} are gone. Evaluate again without --resume.`,
      );
    }
    await mkdir(folder, { recursive: true });
    const file = await open(partialOf(path), 'w');
    try {
      await writeWhole(file, layout.header, 0);
      await file.truncate(layout.size);
    } finally {
      await file.close();
    }
    return layout;
  };

  const put = async (path: string, made: AttackedBatch): Promise<void> => {
    const layout = begun.get(path) ?? (await begin(path, made));
    begun.set(path, layout);
    const { start, samples, survived, adversarial } = made;
    const parts: Readonly<Record<string, [bytesEach: number, data: ArrayBufferView]>> = {
      adversarial: [4 * sizeOf(imageShape), Float32Array.from(await adversarial.data())],
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

/** Whether the examples of all these attacks have been written. */
export async function hasExamples(
  folder: string,
  prefix: string,
  attacks: readonly Readonly<AttackedAt>[],
): Promise<boolean> {
  const found = await Promise.all(
    attacks.map((attack) => stat(join(folder, fileName(prefix, attack))).catch(() => null)),
  );
  return !found.includes(null);
}

/** Such as `best-pgd-20-ce-linf-8_255.safetensors`. */
const fileName = (prefix: string, { attack, norm, epsilon }: AttackedAt): string =>
  `${prefix}-${attack}-${norm}-${formatEpsilon(epsilon).replace('/', '_')}.safetensors`;
