// Downloading a published data set, checking and unpacking it.
import { copyFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError, UsageError } from '../core/errors.ts';
import type { KnownName } from '../core/known-name.ts';
import { explainingErrors } from '../core/system-errors.ts';
import { createFolder } from '../files/folders.ts';
import type { Guard } from '../files/lock.ts';
import { dataDirectory } from './files/directory.ts';
import { type DownloadOptions, download } from './files/download.ts';
import { type DatasetLockOptions, publish, restore, withDatasetLock } from './files/publish.ts';
import { findFiles } from './files/published-files.ts';
import { extractTarGz } from './files/tar.ts';
import { type DatasetInfo, infoOf } from './info.ts';
import { readFileDataset, waysToGet } from './load.ts';
import { type DatasetName, datasetNames, datasetOf, isDownloaded } from './sets/datasets.ts';
import type { FileSource } from './types.ts';

/** Options of downloading a data set. */
export interface FetchOptions extends DownloadOptions, DatasetLockOptions {
  /** The folder of all data sets (see `dataDirectory`). */
  readonly directory?: string;
  /** A mirror: the files are taken from below this address instead of the official host; checksums stay. */
  readonly baseUrl?: string;
}

/**
 * Downloads a data set from its official host, checks and unpacks it. Its folder appears when everything is right; an
 * interrupted download continues in the next call. A set that is there already, with its official files, is left alone.
 *
 * @throws UsageError if there is nothing to download; InputError if the host does not deliver or delivers other bytes, or if
 * another process downloads the data set into that folder
 */
export async function fetchDataset<Name extends string>(
  name: KnownName<Name, DatasetName>,
  options: FetchOptions = {},
): Promise<DatasetInfo> {
  const { source } = datasetOf(name);
  switch (source.kind) {
    case 'files':
      if (source.downloads.length > 0) return fetchFiles(name, source, options);
      throw new UsageError(`${withoutDownload(name, source)} ${downloadable()}`);
    case 'folder':
      throw new UsageError(`${name} is a folder of your own images: name it with --data. ${downloadable()}`);
    case 'generated':
      throw new UsageError(`${name} needs no download: it is computed. ${downloadable()}`);
    default:
      throw source satisfies never;
  }
}

const downloadable = (): string => `These are downloaded: ${datasetNames.filter(isDownloaded).join(', ')}.`;

/** The reason why a published data set is not downloaded. */
export const withoutDownload = (name: string, source: FileSource): string =>
  source.shipped === undefined
    ? `${name} has no download. ${waysToGet(name, source)}`
    : `${name} needs no download: it comes with Equipoise.`;

/** `fetchDataset` of what a source says. Two processes that continue one partial file would mix their bytes, so one waits. */
export function fetchFiles(name: string, source: FileSource, options: FetchOptions): Promise<DatasetInfo> {
  const { onWait, signal, staleMs, heartbeatMs } = options;
  const root = dataDirectory(options.directory);
  return withDatasetLock(root, name, { onWait, signal, staleMs, heartbeatMs }, (guard) =>
    explainingErrors(root, () => fetchAll(name, source, guard, options)),
  );
}

async function fetchAll(
  name: string,
  source: FileSource,
  guard: Guard,
  { directory, baseUrl, ...options }: FetchOptions,
): Promise<DatasetInfo> {
  if (baseUrl !== undefined && !(URL.canParse(baseUrl) && /^https?:/i.test(baseUrl))) {
    throw new UsageError(`A mirror is an address that starts with http:// or https://, got ${baseUrl}.`);
  }
  const target = join(dataDirectory(directory), name);
  await restore(target);
  const present = await findFiles(source, [target]);
  if (present !== null) {
    const info = infoOf(await readFileDataset(name, source, present), target);
    if (info.official) return info;
  }
  const staging = join(dataDirectory(directory), `.${name}.partial`);
  const folder = join(staging, 'files');
  await rm(folder, { recursive: true, force: true });
  await createFolder(folder);
  for (const { url, checksum, bytes, unpack } of source.downloads) {
    const file = basename(new URL(url).pathname);
    const path = join(staging, file);
    const from = baseUrl === undefined ? url : `${baseUrl.replace(/\/$/, '')}/${file}`;
    await download({ url: from, checksum, bytes }, path, options);
    if (unpack === 'none') await copyFile(path, join(folder, file));
    else await extractTarGz(path, folder, (entry) => isPart(source, entry), options.signal);
  }
  const found = await findFiles(source, [folder]);
  if (found === null) {
    throw new InputError(`The download of ${name} lacks files; expected ${source.format.expected}.`);
  }
  const dataset = await readFileDataset(name, source, found);
  await publish(folder, target, guard);
  await rm(staging, { recursive: true });
  return infoOf(dataset, target);
}

/** True if a file of this name belongs to a data set. */
export function isPart({ format, checksums }: FileSource, name: string): boolean {
  const { train, test } = format.files([name.replace(/\.gz$/, '')]);
  const names = Object.keys(checksums).map((known) => known.replace(/\.gz$/, ''));
  return train.length > 0 || test.length > 0 || names.includes(name.replace(/\.gz$/, ''));
}
