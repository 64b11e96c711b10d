// Loading a data set into memory by its name.
import { join, resolve } from 'node:path';
import { InputError, UsageError } from '../core/errors.ts';
import type { KnownName } from '../core/known-name.ts';
import { explainingErrors } from '../core/system-errors.ts';
import { dataDirectory } from './files/directory.ts';
import { type FoundFiles, findFiles, readFiles } from './files/published-files.ts';
import { type DatasetName, datasetOf } from './sets/datasets.ts';
import { classFoldersIn } from './sets/folder-listing.ts';
import type { Dataset, FileSource } from './types.ts';

export interface LoadOptions {
  /** The folder of all data sets (see `dataDirectory`), or the very folder that the files lie in; of `folder`, that of its images. */
  readonly directory?: string;
}

/** The folders to look for a data set in, most specific first. */
const candidateDirectories = (name: string, { folders, shipped }: FileSource, directory: string): string[] =>
  shipped === undefined
    ? [join(directory, name), ...folders.map((folder) => join(directory, folder)), directory]
    : [shipped];

/**
 * Loads a data set into memory.
 *
 * @throws UsageError if there is no such data set; InputError if its files are missing (with the command that gets
 * them), truncated or damaged, naming file and byte
 */
export async function loadDataset<Name extends string>(
  name: KnownName<Name, DatasetName>,
  options: LoadOptions = {},
): Promise<Dataset> {
  const { source } = datasetOf(name);
  switch (source.kind) {
    case 'files':
      return loadFiles(name, source, options);
    case 'folder':
      if (options.directory !== undefined) {
        const directory = resolve(options.directory);
        return explainingErrors(directory, () => source.load(directory));
      }
      throw new InputError(
        `The data set ${name} is a folder of your own images, DIR/train/CLASS/*.png and DIR/test/CLASS/*.png or DIR/CLASS/*.png: name it with --data DIR.`,
      );
    case 'generated':
      return source.generate();
    default:
      throw source satisfies never;
  }
}

/** The commands that bring the files of a published data set, and the flag that names their folder, in a sentence. */
export const waysToGet = (name: string, { downloads }: Pick<FileSource, 'downloads'>): string =>
  `${downloads.length > 0 ? `Get them with \`equipoise data fetch ${name}\`, add` : 'Add'} files that you have with \`equipoise data add PATH --name ${name}\`, or name their folder with --data.`;

async function loadFiles(name: string, source: FileSource, options: LoadOptions): Promise<Dataset> {
  const found = await locateFiles(name, source, options);
  if (found === null) {
    const directories = candidateDirectories(name, source, dataDirectory(options.directory)).join(', ');
    throw new InputError(
      `The files of ${name} (${source.format.expected}) are not in ${directories}. ${waysToGet(name, source)}`,
    );
  }
  return readFileDataset(name, source, found);
}

/**
 * Where the files of a published data set lie, or null.
 *
 * @throws InputError if a folder cannot be read
 */
export const locateFiles = (
  name: string,
  source: FileSource,
  { directory }: LoadOptions,
): Promise<FoundFiles | null> => {
  const root = dataDirectory(directory);
  return explainingErrors(root, () => findFiles(source, candidateDirectories(name, source, root)));
};

/** @throws InputError naming the file and the byte that is wrong */
export async function readFileDataset(name: string, source: FileSource, found: FoundFiles): Promise<Dataset> {
  const { classes, imageShape, format } = source;
  const { files, sha256, official } = await readFiles(source, found);
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

/**
 * Refuses a folder of one's own pictures where nobody said that they are the data set: `name`, which follows from something
 * else, would be used in their place.
 *
 * @throws UsageError
 */
export async function checkFolderMeant(name: string, directory: string | undefined): Promise<void> {
  if (directory === undefined || datasetOf(name).source.kind === 'folder') return;
  const classes = await classFoldersIn(directory);
  if (classes.length < 2) return;
  throw new UsageError(
    `${directory} holds pictures in folders of classes (${classes.slice(0, 3).join(', ')}${classes.length > 3 ? ', …' : ''}), and the data set would be ${name}. To use these pictures add --dataset folder; else name the data set with --dataset ${name}.`,
  );
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
