// The libraries that a binding was linked to, and whether they have changed since.
import { existsSync, statSync } from 'node:fs';
import { arch, platform } from 'node:process';
import { readElfHeader } from './elf.ts';

/** A library that a binding is linked to, as it was then. */
export interface LinkedLibrary {
  readonly path: string;
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** The library as it is now. */
export function describeLibrary(path: string): LinkedLibrary {
  const { size, mtimeMs } = statSync(path);
  return { path, bytes: size, modified: Math.round(mtimeMs) };
}

/** Why a native library cannot be loaded into this process, so far as its file shows; null if nothing speaks against it. */
export function libraryFault(path: string): string | null {
  if (!existsSync(path)) return `${path} is missing`;
  if (platform !== 'linux') return null;
  const header = readElfHeader(path);
  if (header === null) return `${path} is damaged, or no library`;
  if (header.bytes < header.needsBytes) {
    return `${path} is cut off: it has ${header.bytes} bytes and needs ${header.needsBytes}`;
  }
  if (header.arch !== arch)
    return `${path} is built for ${header.arch ?? 'another processor'}, and this Node for ${arch}`;
  return null;
}
