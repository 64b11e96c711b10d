// Finding the files of a published data set in a folder, and reading them, unpacked and with their checksums.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { byteSize } from '../../core/quantities.ts';
import type { DataFile, FileSource, SplitName } from '../types.ts';
import { type Checksum, digestOf } from './checksum.ts';
import { inflate } from './inflate.ts';
import { type DataLimits, dataLimits, RAISE_LIMIT } from './limits.ts';
import { readRegularFile } from './read-file.ts';

const unpackedName = (name: string): string => name.replace(/\.gz$/, '');

/** Where the files of a data set lie, by their names unpacked. */
export interface FoundFiles {
  readonly directory: string;
  /** Names on disk by split. */
  readonly splits: Readonly<Record<SplitName, readonly string[]>>;
}

/** The names in a folder; none where there is no such folder. */
const listing = async (directory: string): Promise<string[]> => {
  try {
    return (await readdir(directory)).sort();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
};

/** The files of a data set in one of these folders, or null; the first complete one counts. */
export async function findFiles(source: FileSource, directories: readonly string[]): Promise<FoundFiles | null> {
  for (const directory of directories) {
    const onDisk = new Map((await listing(directory)).map((name) => [unpackedName(name), name]));
    const { train, test } = source.format.files([...onDisk.keys()]);
    if (train.length === 0 || test.length === 0) continue;
    const named = (names: readonly string[]) => names.map((name) => onDisk.get(name) as string);
    return { directory, splits: { train: named(train), test: named(test) } };
  }
  return null;
}

interface ReadFile extends DataFile {
  readonly baseName: string;
  readonly sha256: string;
  readonly official: boolean;
}

/** A file unpacked, with what its checksums say. */
async function readDataFile(directory: string, name: string, { checksums }: FileSource): Promise<ReadFile> {
  const path = join(directory, name);
  const limits = dataLimits();
  const packed = await readRegularFile(path, limits.total, RAISE_LIMIT);
  const baseName = unpackedName(name);
  const bytes = name === baseName ? packed : unpack(path, packed, limits);
  const matches = (known: Checksum | undefined, content: Uint8Array): boolean =>
    known !== undefined && digestOf(known.algorithm, content) === known.digest;
  return {
    name: path,
    baseName,
    bytes,
    sha256: digestOf('sha256', bytes),
    official: matches(checksums[baseName], bytes) || (name !== baseName && matches(checksums[name], packed)),
  };
}

function unpack(path: string, packed: Uint8Array, { unpacked }: DataLimits): Uint8Array {
  const inflated = inflate(packed, 'gzip', unpacked);
  switch (inflated.kind) {
    case 'whole':
      return inflated.bytes;
    case 'too long':
      throw new InputError(`${path} unpacks to more than ${byteSize(unpacked)}. ${RAISE_LIMIT}.`);
    case 'damaged':
      throw new InputError(
        `${path} (${packed.length} bytes) does not unpack (${inflated.reason}): it is truncated, damaged or no gzip file.`,
      );
    default:
      throw inflated satisfies never;
  }
}

export interface ReadFiles {
  readonly files: Readonly<Record<SplitName, readonly DataFile[]>>;
  /** The SHA-256 of the lines `sha256  name` of every file, unpacked. */
  readonly sha256: string;
  /** True if every official file is there, and no other. */
  readonly official: boolean;
}

/** @throws InputError if a file does not unpack */
export async function readFiles(source: FileSource, found: FoundFiles): Promise<ReadFiles> {
  const read = async (names: readonly string[]): Promise<ReadFile[]> => {
    const files: ReadFile[] = [];
    for (const name of names) files.push(await readDataFile(found.directory, name, source));
    return files;
  };
  const files = { train: await read(found.splits.train), test: await read(found.splits.test) };
  const all = [...files.train, ...files.test];
  const expected = Object.keys(source.checksums).length;
  return {
    files,
    sha256: digestOf('sha256', all.map(({ sha256, baseName }) => `${sha256}  ${baseName}\n`).join('')),
    official: all.length === expected && all.every(({ official }) => official),
  };
}
