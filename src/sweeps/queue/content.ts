// Files of a folder by their content: where a worker finds the checkpoint, or the extra images, that a job names by SHA-256.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256OfFile } from '../../training/run/fingerprint.ts';

/** The path of a file of some content; null if there is none. */
export type FindContent = (sha256: string) => Promise<string | null>;

/**
 * Looks for safetensors files anywhere below a folder, links to files included. A file is read again only after it has changed.
 * What cannot be read is passed over, such as a folder of the administrator.
 */
export function contentsOf(folder: string): FindContent {
  const known = new Map<string, { readonly stamp: string; readonly sha256: string }>();
  return async (sha256) => {
    for await (const path of filesBelow(folder)) {
      const file = await stat(path).catch(() => null);
      if (!file?.isFile()) continue;
      const stamp = `${file.size} ${file.mtimeMs}`;
      const before = known.get(path);
      const found = before?.stamp === stamp ? before.sha256 : await sha256OfFile(path).catch(() => null);
      if (found === null) continue;
      known.set(path, { stamp, sha256: found });
      if (found === sha256) return path;
    }
    return null;
  };
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.name.endsWith('.safetensors')) yield path;
  }
}
