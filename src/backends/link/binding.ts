// The native binding of an installed tfjs-node package: where it lies and whether it works.
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { execPath, versions } from 'node:process';
import { z } from 'zod';
import { installedFolder } from '../packages.ts';
import { howItEnded, runProgram } from '../run-program.ts';
import { describeLibrary, type LinkedLibrary, libraryFault } from './library.ts';

/** An installed package of TensorFlow.js for Node, and where it looks for its binding. */
export interface TensorflowPackage {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
  /** The binding: a native library between Node and TensorFlow's. */
  readonly binding: string;
  /** What the binding was linked to; only there if Equipoise linked it. */
  readonly record: string;
  /** The binding that was there before. */
  readonly original: string;
}

/** The package by its name; null if it is not installed. */
export function tensorflowPackage(name: string): TensorflowPackage | null {
  const folder = installedFolder(name);
  if (folder === null) return null;
  const { version, binary } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  // node-pre-gyp, which looks for the binding, takes the highest version of Node-API that both sides know.
  const known = (binary.napi_versions as readonly number[]).filter((napi) => napi <= Number(versions.napi));
  const place = join(folder, 'lib', `napi-v${Math.max(...known)}`);
  return {
    name,
    version,
    folder,
    binding: join(place, 'tfjs_binding.node'),
    record: join(place, 'equipoise-link.json'),
    original: join(place, 'tfjs_binding.node.original'),
  };
}

const LINK_RECORD = z.object({
  tensorflow: z.string(),
  libraries: z.array(z.object({ path: z.string(), bytes: z.number(), modified: z.number() })),
  processor: z.string(),
});

/** To what a binding was linked, and on which processor it was seen to work. */
export type LinkRecord = z.infer<typeof LINK_RECORD>;

export const linkRecord = (tensorflow: string, libraries: readonly string[]): LinkRecord => ({
  tensorflow,
  libraries: libraries.map(describeLibrary),
  processor: processor(),
});

/** What is recorded of the package's binding; null if Equipoise did not link it, or the record is damaged. */
export function readLinkRecord({ record }: TensorflowPackage): LinkRecord | null {
  if (!existsSync(record)) return null;
  try {
    return LINK_RECORD.parse(JSON.parse(readFileSync(record, 'utf8')));
  } catch {
    return null;
  }
}

/**
 * Why the binding of a package does not load, naming the file; null if it does. A binding that is not just as it was
 * when it was last seen to work is first loaded in a process of its own, since a library that does not fit the machine
 * may end the process.
 */
export async function bindingFault(tensorflow: TensorflowPackage): Promise<string | null> {
  const linked = readLinkRecord(tensorflow);
  for (const path of [...(linked?.libraries ?? []).map((library) => library.path), tensorflow.binding]) {
    const fault = libraryFault(path);
    if (fault !== null) return fault;
  }
  return linked !== null && isUnchanged(linked) ? null : tryToLoad(tensorflow.binding);
}

const isUnchanged = ({ processor: seenOn, libraries }: LinkRecord) =>
  seenOn === processor() &&
  libraries.every((seen: LinkedLibrary) => {
    const { bytes, modified } = describeLibrary(seen.path);
    return bytes === seen.bytes && modified === seen.modified;
  });

const processor = (): string => cpus()[0]?.model ?? 'unknown';

const LOAD = `
try {
  process.dlopen({ exports: {} }, process.argv[1]);
} catch (thrown) {
  console.error(thrown.message);
  process.exit(1);
}
`;

async function tryToLoad(binding: string): Promise<string | null> {
  const ended = await runProgram(execPath, ['--eval', LOAD, binding]);
  if (ended === null) return `${execPath} cannot be run`;
  return ended.code === 0 ? null : `${binding} does not load: ${howItEnded(ended)}`;
}
