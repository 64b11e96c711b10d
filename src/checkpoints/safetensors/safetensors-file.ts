// Reads safetensors files from disk.
import { open } from 'node:fs/promises';
import { reading } from '../../core/system-errors.ts';
import { checkEnds, readBytes } from '../../files/regular-file.ts';
import { headLength, LENGTH_BYTES, readLayout, type Safetensors, tensorOf } from './safetensors.ts';

/**
 * The tensors of a safetensors file, each read for itself: a file may be larger than Node reads at once, and nothing is in
 * memory twice.
 *
 * @param names of those wanted; a file may lack some of them
 * @throws InputError if the file cannot be read, is truncated or damaged
 */
export const readSafetensors = (path: string, names: readonly string[]): Promise<Safetensors> =>
  reading(path, async () => {
    await checkEnds(path);
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const headEnd = headLength(await readBytes(file, 0, Math.min(size, LENGTH_BYTES), path), size, path);
      const { metadata, spans } = readLayout(await readBytes(file, 0, headEnd, path), size, path);
      const tensors: Record<string, Safetensors['tensors'][string]> = {};
      for (const span of spans.filter(({ name }) => names.includes(name))) {
        tensors[span.name] = tensorOf(span, await readBytes(file, span.begin, span.end, path));
      }
      return { metadata, tensors };
    } finally {
      await file.close();
    }
  });
