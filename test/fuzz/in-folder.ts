// Parsers of files that are found by their path: each input becomes a file in a folder of its own.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Does something with a folder that holds these files. */
export async function inFolder(
  files: Readonly<Record<string, Uint8Array | string>>,
  use: (folder: string) => Promise<unknown>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'equipoise-fuzz-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), content);
    }
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A parser that is given the path of its input. */
export const parserOfFile =
  (name: string, parse: (path: string) => Promise<unknown>) =>
  (bytes: Uint8Array): Promise<void> =>
    inFolder({ [name]: bytes }, (folder) => parse(join(folder, name)));
