import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, UsageError } from '../core/errors.ts';
import { definitions } from './definitions.ts';
import { dataDirectory } from './directory.ts';
import { type FoundFiles, findFiles, readFiles } from './files.ts';
import { synthetic } from './synthetic.ts';
import type { Dataset, DatasetDefinition } from './types.ts';

export interface LoadOptions {
  /** The folder of all data sets (see `dataDirectory`), or the very folder that the files lie in. */
  readonly directory?: string;
}

const fromFiles = (name: FileDatasetName) => (options: LoadOptions) => loadFiles(name, options);

/** Every data set by name, and how it is loaded. */
export const datasets = {
  cifar10: fromFiles('cifar10'),
  cifar100: fromFiles('cifar100'),
  svhn: fromFiles('svhn'),
  mnist: fromFiles('mnist'),
  'fashion-mnist': fromFiles('fashion-mnist'),
  mnist10k: fromFiles('mnist10k'),
  synthetic: async () => synthetic(),
} satisfies Record<string, (options: LoadOptions) => Promise<Dataset>>;

export type DatasetName = keyof typeof datasets;
export type FileDatasetName = keyof typeof definitions;

export const definitionOf = (name: FileDatasetName): DatasetDefinition => definitions[name];

export const isFileDataset = (name: string): name is FileDatasetName => Object.hasOwn(definitions, name);

/** mnist10k comes with the package: dist/src/data/load.js lies three folders below the package's own. */
const SHIPPED: Partial<Record<FileDatasetName, string>> = {
  mnist10k: fileURLToPath(new URL('../../../data/mnist10k', import.meta.url)),
};

/** The folders to look for a data set in, most specific first. */
function candidateDirectories(name: FileDatasetName, directory: string): string[] {
  const shipped = SHIPPED[name];
  if (shipped !== undefined) return [shipped];
  return [join(directory, name), ...definitionOf(name).folders.map((folder) => join(directory, folder)), directory];
}

/**
 * Loads a data set into memory.
 *
 * @throws UsageError if there is no such data set; InputError if its files are missing (with the command that gets
 * them), truncated or damaged, naming file and byte
 */
export async function loadDataset(name: string, options: LoadOptions = {}): Promise<Dataset> {
  if (!Object.hasOwn(datasets, name)) {
    throw new UsageError(`There is no data set ${name}; choose one of ${Object.keys(datasets).join(', ')}.`);
  }
  return datasets[name as DatasetName](options);
}

async function loadFiles(name: FileDatasetName, options: LoadOptions): Promise<Dataset> {
  const found = await locateDataset(name, options);
  if (found === null) {
    const directories = candidateDirectories(name, dataDirectory(options.directory)).join(', ');
    throw new InputError(
      `The files of ${name} (${definitionOf(name).format.expected}) are not in ${directories}. Get them with \`equipoise data fetch ${name}\`, take over files that you have with \`equipoise data add PATH\`, or name their folder with --data.`,
    );
  }
  return readDataset(name, found);
}

/** Where the files of a data set lie, or null. */
export const locateDataset = (name: FileDatasetName, { directory }: LoadOptions): Promise<FoundFiles | null> =>
  findFiles(definitionOf(name), candidateDirectories(name, dataDirectory(directory)));

/** @throws InputError naming the file and the byte that is wrong */
export async function readDataset(
  name: FileDatasetName,
  found: FoundFiles,
  definition: DatasetDefinition = definitionOf(name),
): Promise<Dataset> {
  const { classes, imageShape, format } = definition;
  const { files, sha256, official } = await readFiles(definition, found);
  return {
    name,
    classes,
    imageShape,
    train: format.decode(files.train, imageShape, classes.length),
    test: format.decode(files.test, imageShape, classes.length),
    sha256,
    official,
  };
}

/** How a data set is shown: `cifar10`, or `cifar10 (unofficial)` where its files are not the official ones. */
export const datasetLabel = ({ name, official }: Pick<Dataset, 'name' | 'official'>): string =>
  official ? name : `${name} (unofficial)`;

/**
 * Refuses to test on images that a model was trained on: mnist10k's digits are those of mnist's test split.
 *
 * @throws InputError
 */
export function checkTestSplit(trainedOn: string, testedOn: string): void {
  if (trainedOn === 'mnist10k' && testedOn === 'mnist') {
    throw new InputError(
      'A model trained on mnist10k has seen the test images of mnist, since mnist10k is made of them; evaluate it on mnist10k.',
    );
  }
}
