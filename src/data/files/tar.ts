// Unpacking the wanted files of a .tar.gz, within the limits of a data set.
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { InputError } from '../../core/errors.ts';
import { byteSize } from '../../core/quantities.ts';
import { systemReason } from '../../core/system-errors.ts';
import { dataLimits, RAISE_LIMIT } from './limits.ts';

/*
 * A tar archive is a row of files, each a header of 512 bytes and its data filled up with zeros to a multiple of 512:
 *
 *   0      100  124     136       148        156        157     512
 *   | name | …  | size  | …       | checksum | type     | …     | data …
 *
 * Numbers are octal text. A block of zeros ends the archive.
 */

const BLOCK = 512;

const text = (block: Buffer, from: number, to: number): string =>
  block.toString('latin1', from, to).replace(/\0.*$/s, '');

/** The sum of the header's bytes, its own field counted as spaces. */
const checksumOf = (block: Buffer): number =>
  block.reduce((sum, byte, i) => sum + (i >= 148 && i < 156 ? 0x20 : byte), 0);

/**
 * Writes the files of a .tar.gz that `wanted` accepts by their base names into a folder. Names in the archive decide
 * nothing else, so none can lead out of the folder.
 *
 * @param signal stops it
 * @returns the base names written
 * @throws InputError naming the byte (of the unpacked archive) that is wrong, or the file that is too large; what was
 * written stays
 */
export async function extractTarGz(
  archive: string,
  folder: string,
  wanted: (name: string) => boolean,
  signal?: AbortSignal,
): Promise<string[]> {
  const limits = dataLimits();
  const written: string[] = [];
  let position = 0;
  let pending: Buffer = Buffer.alloc(0);
  let remaining = 0;
  let padding = 0;
  let ended = false;
  let file: FileHandle | null = null;

  /** Takes what it can of the bytes at hand; false if it needs more. */
  const advance = async (): Promise<boolean> => {
    if (remaining > 0) {
      const data = pending.subarray(0, remaining);
      if (data.length === 0) return false;
      await file?.writeFile(data);
      consume(data.length);
      remaining -= data.length;
      return true;
    }
    if (file !== null) {
      await file.sync();
      await file.close();
      file = null;
    }
    if (padding > 0) {
      const zeros = Math.min(padding, pending.length);
      if (zeros === 0) return false;
      consume(zeros);
      padding -= zeros;
      return true;
    }
    if (ended || pending.length < BLOCK) return false;
    await startFile(pending.subarray(0, BLOCK));
    consume(BLOCK);
    return true;
  };

  const startFile = async (header: Buffer): Promise<void> => {
    if (header.every((byte) => byte === 0)) {
      ended = true;
      return;
    }
    const size = Number.parseInt(text(header, 124, 136).trim() || '0', 8);
    if (
      Number.parseInt(text(header, 148, 156).trim(), 8) !== checksumOf(header) ||
      !(Number.isSafeInteger(size) && size >= 0)
    ) {
      throw new InputError(
        `${archive} is damaged or no tar archive: the header at byte ${position} (unpacked) is wrong.`,
      );
    }
    const name = basename(text(header, 0, 100));
    const type = text(header, 156, 157);
    remaining = size;
    padding = (BLOCK - (size % BLOCK)) % BLOCK;
    if ((type === '' || type === '0') && wanted(name)) {
      if (size > limits.unpacked) {
        throw new InputError(
          `${archive} holds ${name} of ${byteSize(size)}; expected at most ${byteSize(limits.unpacked)}. ${RAISE_LIMIT}.`,
        );
      }
      file = await open(join(folder, name), 'w');
      written.push(name);
    }
  };

  const consume = (count: number): void => {
    pending = pending.subarray(count);
    position += count;
  };

  const packed = createReadStream(archive);
  const unpacked = createGunzip({ chunkSize: 2 ** 20 });
  packed.on('error', (error) => unpacked.destroy(error));
  packed.pipe(unpacked);
  try {
    for await (const chunk of unpackedChunks(unpacked, archive, limits.total)) {
      signal?.throwIfAborted();
      if (ended) continue;
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      while (await advance());
    }
    while (await advance());
  } finally {
    packed.destroy();
    unpacked.destroy();
    await (file as FileHandle | null)?.close();
  }
  if (!ended && (remaining > 0 || padding > 0 || pending.length > 0 || position === 0)) {
    throw new InputError(`${archive} is truncated: it ends at byte ${position + pending.length} (unpacked).`);
  }
  return written;
}

/** @throws InputError if the gzip stream is cut or damaged, or longer than `limit` bytes */
async function* unpackedChunks(stream: AsyncIterable<Buffer>, archive: string, limit: number): AsyncGenerator<Buffer> {
  let position = 0;
  try {
    for await (const chunk of stream) {
      position += chunk.length;
      if (position > limit) {
        throw new InputError(`${archive} unpacks to more than ${byteSize(limit)}. ${RAISE_LIMIT}.`);
      }
      yield chunk;
    }
  } catch (error) {
    if (error instanceof InputError || systemReason(error) !== null) throw error;
    const why = error instanceof Error ? error.message : error;
    throw new InputError(`${archive} does not unpack after byte ${position} (${why}): it is truncated or damaged.`, {
      cause: error,
    });
  }
}
