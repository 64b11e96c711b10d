// Packs the project as a release does, and installs the tarball in an empty project without asking npm.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

export interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** Packs the project, as it is built, into a folder. */
export function pack(into: string): Packed {
  const output = execFileSync(process.execPath, [join(root, 'scripts/pack.mjs'), into], { encoding: 'utf8' });
  return JSON.parse(output)[0];
}

/**
 * An empty project in a folder of its own in which the packed package and the named ones of TensorFlow.js are installed.
 * npm is not asked, so that the test needs no network: the tarball is unpacked, and the packages that its package.json
 * asks for are links to those installed here.
 */
export function makeProject(peers: readonly string[]): { readonly folder: string; readonly packed: Packed } {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-project-'));
  const packed = pack(folder);
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'equipoise'), { recursive: true });
  const tarball = join(folder, packed.filename);
  execFileSync('tar', ['-xzf', tarball, '-C', join(modules, 'equipoise'), '--strip-components=1']);
  rmSync(tarball);
  const { dependencies } = JSON.parse(readFileSync(join(modules, 'equipoise/package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), ...peers]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name), 'junction');
  }
  return { folder, packed };
}
