import { copyFile, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError, UsageError } from '../core/errors.ts';
import { dataDirectory } from './directory.ts';
import { type DownloadOptions, download } from './download.ts';
import { findFiles } from './files.ts';
import { type DatasetInfo, infoOf } from './info.ts';
import { datasets, definitionOf, type FileDatasetName, isFileDataset, readDataset } from './load.ts';
import { publish } from './publish.ts';
import { extractTarGz } from './tar.ts';
import type { DatasetDefinition } from './types.ts';

export interface FetchOptions extends DownloadOptions {
  /** The folder of all data sets (see `dataDirectory`). */
  readonly directory?: string;
  /** A mirror: the files are taken from below this address instead of the official host; checksums stay. */
  readonly baseUrl?: string;
}

/**
 * Downloads a data set from its official host, checks and unpacks it. Its folder appears when everything is right; an
 * interrupted download goes on in the next call. A set that is there already, with its official files, is left alone.
 *
 * @throws UsageError if there is nothing to download; InputError if the host does not deliver or delivers other bytes
 */
export async function fetchDataset(name: string, options: FetchOptions = {}): Promise<DatasetInfo> {
  if (!isFileDataset(name) || definitionOf(name).downloads.length === 0) {
    throw new UsageError(
      Object.hasOwn(datasets, name)
        ? `${name} needs no download: it comes with Equipoise.`
        : `There is no data set ${name} to download; choose one of ${downloadable().join(', ')}.`,
    );
  }
  return fetchDefinition(name, definitionOf(name), options);
}

const downloadable = (): string[] =>
  Object.keys(datasets).filter((name) => isFileDataset(name) && definitionOf(name).downloads.length > 0);

/** `fetchDataset` of what a definition says. */
export async function fetchDefinition(
  name: FileDatasetName,
  definition: DatasetDefinition,
  { directory, baseUrl, ...options }: FetchOptions,
): Promise<DatasetInfo> {
  const target = join(dataDirectory(directory), name);
  const present = await findFiles(definition, [target]);
  if (present !== null) {
    const info = infoOf(await readDataset(name, present, definition), target);
    if (info.official) return info;
  }
  const staging = join(dataDirectory(directory), `.${name}.partial`);
  const folder = join(staging, 'files');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const { url, checksum, unpack } of definition.downloads) {
    const file = basename(new URL(url).pathname);
    const path = join(staging, file);
    await download(baseUrl === undefined ? url : `${baseUrl.replace(/\/$/, '')}/${file}`, path, checksum, options);
    if (unpack === 'none') await copyFile(path, join(folder, file));
    else await extractTarGz(path, folder, (entry) => isPart(definition, entry));
  }
  const found = await findFiles(definition, [folder]);
  if (found === null) {
    throw new InputError(`The download of ${name} lacks files; expected ${definition.format.expected}.`);
  }
  const dataset = await readDataset(name, found, definition);
  await publish(folder, target);
  await rm(staging, { recursive: true });
  return infoOf(dataset, target);
}

/** Whether a file of this name belongs to a data set. */
export function isPart({ format, checksums }: DatasetDefinition, name: string): boolean {
  const { train, test } = format.files([name.replace(/\.gz$/, '')]);
  const names = Object.keys(checksums).map((known) => known.replace(/\.gz$/, ''));
  return train.length > 0 || test.length > 0 || names.includes(name.replace(/\.gz$/, ''));
}
