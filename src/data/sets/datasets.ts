// The table of data sets.
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import type { DatasetDefinition, FileSource } from '../types.ts';
import { cifar10, cifar100 } from './cifar.ts';
import { folder } from './folder.ts';
import { fashionMnist, mnist, mnist10k } from './mnist.ts';
import { svhn } from './svhn.ts';
import { syntheticDataset } from './synthetic.ts';

/** Every data set by its name on the command line, in files and in results. */
export const datasets = {
  cifar10,
  cifar100,
  svhn,
  mnist,
  'fashion-mnist': fashionMnist,
  mnist10k,
  folder,
  synthetic: syntheticDataset,
} satisfies Readonly<Record<string, DatasetDefinition>>;

/** The names of the data sets. */
export type DatasetName = keyof typeof datasets;

/** The names of all data sets. */
export const datasetNames = Object.keys(datasets) as readonly DatasetName[];

/** @throws UsageError if there is no data set of this name */
export function datasetOf(name: string): DatasetDefinition {
  if (!Object.hasOwn(datasets, name)) {
    throw new UsageError(
      `There is no data set ${name}.${suggestion(didYouMean(name, datasetNames))} Data sets are ${datasetNames.join(', ')}.`,
    );
  }
  return datasets[name as DatasetName];
}

/** True if `equipoise data fetch` downloads the data set. */
export const isDownloaded = (name: string): boolean => (fileSourceOf(name)?.downloads.length ?? 0) > 0;

/** Where the files of a published data set come from; null for a folder of one's own and what is generated. */
export function fileSourceOf(name: string): FileSource | null {
  const { source } = datasetOf(name);
  return source.kind === 'files' ? source : null;
}
