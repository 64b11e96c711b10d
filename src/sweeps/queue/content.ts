// Files of a folder by their content: where a worker finds the checkpoint, or the extra images, that a job names by SHA-256.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../../core/system-errors.ts';
import { sha256OfFile } from '../../training/run/fingerprint.ts';

/** The path of a file of some content; null if there is none. */
export type FindContent = (sha256: string) => Promise<string | null>;

/** Looks for safetensors files anywhere below a folder. A file is read again only after it has changed. */
export function contentsOf(folder: string): FindContent {
  const known = new Map<string, { readonly stamp: string; readonly sha256: string }>();
  return async (sha256) => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) => {
      if (isMissing(error)) return [];
      throw error;
    });
    for (const entry of entries) {
      if (!entry.isFile() || !entry.name.endsWith('.safetensors')) continue;
      const path = join(entry.parentPath, entry.name);
      const { size, mtimeMs } = await stat(path);
      const stamp = `${size} ${mtimeMs}`;
      const before = known.get(path);
      const found = before?.stamp === stamp ? before.sha256 : await sha256OfFile(path);
      known.set(path, { stamp, sha256: found });
      if (found === sha256) return path;
    }
    return null;
  };
}
