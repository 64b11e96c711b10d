// Facts about a data set that is there: its files, its images, and how many of them each class has.
import { resolve } from 'node:path';
import type { KnownName } from '../core/known-name.ts';
import { datasetLabel, type LoadOptions, loadDataset, locateFiles, readFileDataset } from './load.ts';
import { type DatasetName, datasetOf } from './sets/datasets.ts';
import type { Dataset, PixelShape, Split } from './types.ts';

/** What `equipoise data info` shows. */
export interface DatasetInfo {
  readonly name: string;
  /** The name, with `(unofficial)` where the files are not the official ones. */
  readonly label: string;
  /** Where its files lie; null for a generated set. */
  readonly directory: string | null;
  readonly official: boolean;
  readonly sha256: string;
  readonly imageShape: PixelShape;
  readonly classes: readonly string[];
  /** Numbers of images. */
  readonly train: number;
  readonly test: number;
  /** Numbers of images by class, in the order of the classes. */
  readonly trainByClass: readonly number[];
  readonly testByClass: readonly number[];
}

export const infoOf = (dataset: Dataset, directory: string | null): DatasetInfo => ({
  name: dataset.name,
  label: datasetLabel(dataset),
  directory,
  official: dataset.official,
  sha256: dataset.sha256,
  imageShape: dataset.imageShape,
  classes: dataset.classes,
  train: dataset.train.count,
  test: dataset.test.count,
  trainByClass: countsOf(dataset.train, dataset.classes.length),
  testByClass: countsOf(dataset.test, dataset.classes.length),
});

function countsOf({ labels }: Split, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]++;
  return counts;
}

/**
 * What is known of a data set after reading and checking all of it; null if its files are not there.
 *
 * @throws UsageError if there is no such data set; InputError if its files are damaged
 */
export async function datasetInfo<Name extends string>(
  name: KnownName<Name, DatasetName>,
  options: LoadOptions = {},
): Promise<DatasetInfo | null> {
  const { source } = datasetOf(name);
  switch (source.kind) {
    case 'files': {
      const found = await locateFiles(name, source, options);
      return found === null ? null : infoOf(await readFileDataset(name, source, found), found.directory);
    }
    case 'folder':
      return infoOf(await loadDataset(name, options), resolve(options.directory ?? '.'));
    case 'generated':
      return infoOf(await loadDataset(name, options), null);
    default:
      throw source satisfies never;
  }
}
