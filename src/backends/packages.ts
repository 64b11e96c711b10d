// Finds and loads optional packages.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';

const require = createRequire(import.meta.url);

/** The folder of an installed package, found without loading it; null if it is not installed. */
export function installedFolder(name: string): string | null {
  const folders = (require.resolve.paths(name) ?? []).map((path) => join(path, name));
  return folders.find((folder) => existsSync(join(folder, 'package.json'))) ?? null;
}

/** The version of an installed package, found without loading it; null if it is not installed. */
export function installedVersion(name: string): string | null {
  const folder = installedFolder(name);
  return folder === null ? null : JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;
}

/** Loads an optional package; the compiler does not look for it. */
export const importPackage = (name: string): Promise<Record<string, unknown>> => import(name);

/** The first line of whatever was thrown. */
export const firstLine = (thrown: unknown): string => messageOf(thrown).trim().split('\n')[0];
