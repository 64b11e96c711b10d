// Taking over the files of a published data set that are on disk already.
import { copyFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean, suggestion } from '../core/did-you-mean.ts';
import { InputError } from '../core/errors.ts';
import { pathWord, shellCommand } from '../core/shell.ts';
import { explainingErrors } from '../core/system-errors.ts';
import { isPart } from './fetch.ts';
import { dataDirectory } from './files/directory.ts';
import { type DatasetLockOptions, publish, withDatasetLock, withStaging } from './files/publish.ts';
import { type FoundFiles, findFiles } from './files/published-files.ts';
import { extractTarGz } from './files/tar.ts';
import { type DatasetInfo, infoOf } from './info.ts';
import { readFileDataset } from './load.ts';
import { datasetNames, fileSourceOf } from './sets/datasets.ts';
import type { FileSource } from './types.ts';

/** Options of taking over files of a data set. */
export interface AddOptions extends DatasetLockOptions {
  /** The folder of all data sets (see `dataDirectory`). */
  readonly directory?: string;
  /** Which data set it is, where the names of the files do not tell (those of mnist and fashion-mnist are the same). */
  readonly name?: string;
}

interface Candidate {
  readonly name: string;
  readonly source: FileSource;
}

const CANDIDATES: readonly Candidate[] = datasetNames.flatMap((name) => {
  const source = fileSourceOf(name);
  return source === null || source.shipped !== undefined ? [] : [{ name, source }];
});

/**
 * Takes over the files of a data set: a folder that holds them, or the official .tar.gz. They are read and checked
 * completely before their copies appear in the data directory, where they replace what was there.
 *
 * @throws InputError if they are of no known data set, of several, truncated, damaged or too large, or cannot be copied, or
 * if another process changes the data set
 */
export async function addDataset(path: string, { directory, name, ...lock }: AddOptions = {}): Promise<DatasetInfo> {
  const candidates = candidatesOf(name);
  const root = dataDirectory(directory);
  return explainingErrors(root, () => withStaging(root, (staging) => add(path, root, staging, candidates, lock)));
}

async function add(
  path: string,
  root: string,
  staging: string,
  candidates: readonly Candidate[],
  lock: DatasetLockOptions,
): Promise<DatasetInfo> {
  const source = await sourceFolder(path, join(staging, 'unpacked'), candidates, lock.signal);
  const [chosen, found] = await identify(path, source, candidates);
  const dataset = await readFileDataset(chosen.name, chosen.source, found);
  const folder = join(staging, 'files');
  await mkdir(folder);
  for (const file of [...found.splits.train, ...found.splits.test]) {
    lock.signal?.throwIfAborted();
    await copyFile(join(found.directory, file), join(folder, file));
  }
  const target = join(root, chosen.name);
  await withDatasetLock(root, chosen.name, lock, (guard) => publish(folder, target, guard));
  return infoOf(dataset, target);
}

function candidatesOf(name: string | undefined): readonly Candidate[] {
  if (name === undefined) return CANDIDATES;
  const named = CANDIDATES.filter((candidate) => candidate.name === name);
  if (named.length > 0) return named;
  const names = CANDIDATES.map((candidate) => candidate.name);
  throw new InputError(
    `Files of ${name} cannot be added; choose one of ${names.join(', ')}.${suggestion(didYouMean(name, names))}`,
  );
}

/** The folder itself, or what an archive holds, unpacked. */
async function sourceFolder(
  path: string,
  unpacked: string,
  candidates: readonly Candidate[],
  signal?: AbortSignal,
): Promise<string> {
  const found = await stat(path);
  if (found.isDirectory()) return path;
  if (!found.isFile() || !/\.(tar\.gz|tgz)$/.test(path)) {
    throw new InputError(`${path} is neither a folder nor a .tar.gz; name the folder that the files lie in.`);
  }
  await mkdir(unpacked);
  await extractTarGz(path, unpacked, (entry) => candidates.some(({ source }) => isPart(source, entry)), signal);
  return unpacked;
}

/** The one data set whose files these are. */
async function identify(
  path: string,
  folder: string,
  candidates: readonly Candidate[],
): Promise<[Candidate, FoundFiles]> {
  const matches: [Candidate, FoundFiles][] = [];
  for (const candidate of candidates) {
    const { source } = candidate;
    const found = await findFiles(source, [folder, ...source.folders.map((below) => join(folder, below))]);
    if (found !== null) matches.push([candidate, found]);
  }
  if (matches.length === 1) return matches[0];
  if (matches.length > 1) {
    throw new InputError(
      `The files in ${path} could be of ${matches.map(([{ name }]) => name).join(' or ')}; say which with --name.`,
    );
  }
  const expected = candidates.map(({ name, source }) => `${name}: ${source.format.expected}`).join('; ');
  const names = (await readdir(folder)).slice(0, 10).join(', ') || 'nothing';
  throw new InputError(
    `${path} holds ${names}; expected the complete files of a data set (${expected}). Images of your own in folders of their classes stay where they are: ${shellCommand('--dataset', 'folder', '--data', pathWord(path))}.`,
  );
}
