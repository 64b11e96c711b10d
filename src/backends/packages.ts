import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const require = createRequire(import.meta.url);

/** The version of an installed package, found without loading it; null where it is not installed. */
export function installedVersion(name: string): string | null {
  const folder = (require.resolve.paths(name) ?? []).find((path) => existsSync(join(path, name, 'package.json')));
  if (folder === undefined) return null;
  return JSON.parse(readFileSync(join(folder, name, 'package.json'), 'utf8')).version;
}

/** Loads an optional package; the compiler does not look for it. */
export const importPackage = (name: string): Promise<Record<string, unknown>> => import(name);

/** The first line of whatever was thrown. */
export const firstLine = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).trim().split('\n')[0];
