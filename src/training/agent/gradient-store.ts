// The gradients of one epoch's batches that a pre-pass keeps: in memory up to a limit, and beyond it in a temporary file.
import { type FileHandle, open, rm } from 'node:fs/promises';
import { writeWhole } from '../../checkpoints/files/atomic-file.ts';
import { InputError } from '../../core/errors.ts';
import type { Tensors } from '../../core/params.ts';
import type { Guard } from '../../files/lock.ts';

/** Gradients by parameter in plain memory, outside the backend's. */
export type StoredGradients = Readonly<Record<string, Float32Array>>;

/** The gradients of an epoch's batches, in memory up to a limit and beyond it in a file. */
export interface GradientStore {
  readonly kind: 'epoch';
  /** Keeps the gradients of the next batch, and takes them over. All batches have the same parameters. */
  add(gradients: StoredGradients): Promise<void>;
  /** The gradients of a batch of the epoch; null if none were kept. */
  get(batch: number): Promise<StoredGradients | null>;
  /** Frees the memory and removes the file. */
  close(): Promise<void>;
}

export interface GradientStoreOptions {
  /** The limit in bytes of memory; default 1 GiB. */
  readonly memory?: number;
  /** The path of the file for the rest. */
  readonly file: string;
  /** A check before the file is made, which throws if writing is not allowed. */
  readonly guard?: Guard;
}

export const DEFAULT_CACHE_MEMORY = 2 ** 30;

/**
 * An empty store. The file exists only while it is needed. It holds the gradients of one batch after another as they are in
 * memory, so reading returns the same bits.
 *
 * @param first the batch whose gradients are added first
 */
export function gradientStore(
  { memory = DEFAULT_CACHE_MEMORY, file, guard }: GradientStoreOptions,
  first = 0,
): GradientStore {
  const kept: StoredGradients[] = [];
  let used = 0;
  let spilled = 0;
  let handle: FileHandle | null = null;
  /** The parameters and the length of each one's gradient. */
  let lengths: readonly (readonly [string, number])[] = [];
  return {
    kind: 'epoch',
    add: async (gradients) => {
      const size = bytesOf(gradients);
      if (spilled === 0 && used + size <= memory) {
        kept.push(gradients);
        used += size;
        return;
      }
      if (handle === null) await guard?.();
      try {
        handle ??= await open(file, 'w+');
        let position = spilled * size;
        for (const values of Object.values(gradients)) {
          await writeWhole(handle, new Uint8Array(values.buffer, values.byteOffset, values.byteLength), position);
          position += values.byteLength;
        }
      } catch (error) {
        throw new InputError(
          `The gradients that an epoch of AGENT keeps do not fit into ${memory} bytes of memory, and ${file} cannot be written: ${(error as Error).message}. Give them more memory (cacheMemory, --cache-memory), or free space on the disk.`,
          { cause: error },
        );
      }
      lengths = Object.entries(gradients).map(([name, { length }]) => [name, length]);
      spilled++;
    },
    get: async (batch) => {
      const index = batch - first;
      if (index < 0 || index >= kept.length + spilled) return null;
      if (index < kept.length) return kept[index];
      return read(handle as FileHandle, lengths, index - kept.length);
    },
    close: async () => {
      kept.length = 0;
      await handle?.close();
      if (handle !== null) await rm(file, { force: true });
      handle = null;
    },
  };
}

/** Copies of tensors outside the backend's memory. */
export async function download(tensors: Tensors): Promise<Record<string, Float32Array>> {
  const entries = Object.entries(tensors).map(
    async ([name, tensor]) => [name, ((await tensor.data()) as Float32Array).slice()] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

const bytesOf = (gradients: StoredGradients): number =>
  Object.values(gradients).reduce((sum, { byteLength }) => sum + byteLength, 0);

/** The gradients of the batch numbered `index` in a file. */
async function read(
  file: FileHandle,
  lengths: readonly (readonly [string, number])[],
  index: number,
): Promise<StoredGradients> {
  const total = lengths.reduce((sum, [, length]) => sum + length, 0);
  const values = new Float32Array(total);
  const bytes = new Uint8Array(values.buffer);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, index * bytes.length + done);
    if (bytesRead === 0) throw new InputError('The file of snapshot gradients was cut off while training used it.');
    done += bytesRead;
  }
  let from = 0;
  return Object.fromEntries(
    lengths.map(([name, length]) => {
      from += length;
      return [name, values.subarray(from - length, from)];
    }),
  );
}
