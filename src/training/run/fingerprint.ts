// The SHA-256 of files that a configuration names by their content.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { InputError } from '../../core/errors.ts';
import { reading } from '../../core/system-errors.ts';
import { checkEnds } from '../../files/regular-file.ts';

/**
 * The SHA-256 of a file, as a configuration names files: 64 hexadecimal digits, those of `sha256sum`.
 *
 * @throws InputError if the file cannot be read
 */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await reading(path, async () => {
    const size = await checkEnds(path);
    // A file of the system that says it is empty may have no end.
    if (size > 0) await pipeline(createReadStream(path, { end: size - 1 }), hash);
  });
  return hash.digest('hex');
}

/**
 * The file that a configuration names by its content.
 *
 * @param path what was given; absent if the user has named none
 * @param what it is, and `option` that names it, for messages
 * @throws InputError if none is given, or one of another content
 */
export async function checkedFile(
  path: string | undefined,
  sha256: string,
  { what, option }: { readonly what: string; readonly option: string },
): Promise<string> {
  if (path === undefined) {
    throw new InputError(`The configuration names ${what} by its SHA-256, ${sha256}: give the file as ${option}.`);
  }
  const found = await sha256OfFile(path);
  if (found !== sha256) {
    throw new InputError(
      `Here ${what} is the one of SHA-256 ${sha256}, and ${path} has ${found}. Give the file that the run was started with, or start another run.`,
    );
  }
  return path;
}
