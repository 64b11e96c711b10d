// The digest of everything that a build depends on. A build records it, so that a stale build is noticed before it is packed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';

const FOLDERS = ['attacks', 'src'];
const FILES = [
  ...['package-lock.json', 'tsconfig.json'],
  ...['scripts/build.mjs', 'scripts/kernel-records.mjs', 'scripts/one-tfjs-core.mjs'],
];
/** A folder that the build itself writes. */
const GENERATED = 'src/engine/generated/';

/** The file below a project in which its build records the digest. */
export const DIGEST_FILE = 'dist/sources.sha256';

/** Returns the SHA-256 of names and contents of a project's sources, in hexadecimal digits. */
export function sourcesDigest(root) {
  const inside = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(root, sep).length).replaceAll(sep, '/'))
      .filter((path) => !path.startsWith(GENERATED)),
  );
  const hash = createHash('sha256');
  for (const path of [...inside, ...FILES].sort()) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}
