// Reads safetensors files from disk.
import { type FileHandle, open } from 'node:fs/promises';
import { InputError } from '../../core/errors.ts';
import { MOST_AT_ONCE } from '../../data/files/limits.ts';
import { headLength, LENGTH_BYTES, readLayout, type Safetensors, tensorOf } from './safetensors.ts';

/**
 * The tensors of a safetensors file, each read for itself: a file may be larger than Node reads at once, and nothing is in
 * memory twice.
 *
 * @param names of those wanted; a file may lack some of them
 * @throws InputError if the file cannot be read, is truncated or damaged
 */
export async function readSafetensors(path: string, names: readonly string[]): Promise<Safetensors> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new InputError(`${path} cannot be read: ${(error as Error).message}. Check the path.`, { cause: error });
  }
  try {
    const { size } = await file.stat();
    const headEnd = headLength(await readBytes(file, 0, Math.min(size, LENGTH_BYTES)), size, path);
    const { metadata, spans } = readLayout(await readBytes(file, 0, headEnd), size, path);
    const tensors: Record<string, Safetensors['tensors'][string]> = {};
    for (const span of spans) {
      if (names.includes(span.name)) tensors[span.name] = tensorOf(span, await readBytes(file, span.begin, span.end));
    }
    return { metadata, tensors };
  } finally {
    await file.close();
  }
}

async function readBytes(file: FileHandle, begin: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  for (let done = 0; done < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, done, Math.min(bytes.length - done, MOST_AT_ONCE), begin + done);
    if (bytesRead === 0) throw new InputError(`A file ends at byte ${begin + done} while it is read.`);
    done += bytesRead;
  }
  return bytes;
}
