// CIFAR-10-C and CIFAR-100-C as published: a .npy file for each corruption, with five severities one after another, and one of
// labels (Hendrycks and Dietterich 2019, arXiv:1903.12261). They are too large for memory and are read a severity at a time.
import { copyFile, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError, UsageError } from '../../core/errors.ts';
import { pathWord, shellCommand } from '../../core/shell.ts';
import { explainingErrors, isMissing, reading } from '../../core/system-errors.ts';
import { checkEnds } from '../../files/regular-file.ts';
import { dataDirectory } from '../files/directory.ts';
import { NPY_HEADER_BYTES, npyNumbers, readNpyHeader } from '../files/npy.ts';
import { type DatasetLockOptions, publish, withDatasetLock, withStaging } from '../files/publish.ts';
import type { FileSource, PixelShape, Split } from '../types.ts';
import { cifar10, cifar100 } from './cifar.ts';

/** The corruptions that the mean is over, in the order of the paper. */
export const CORRUPTIONS = [
  'gaussian_noise',
  'shot_noise',
  'impulse_noise',
  'defocus_blur',
  'glass_blur',
  'motion_blur',
  'zoom_blur',
  'snow',
  'frost',
  'fog',
  'brightness',
  'contrast',
  'elastic_transform',
  'pixelate',
  'jpeg_compression',
] as const;

/** Corruptions that were published to choose settings by; they are evaluated if they are there, and in no mean. */
export const EXTRA_CORRUPTIONS = ['speckle_noise', 'gaussian_blur', 'spatter', 'saturate'] as const;

export const SEVERITIES = 5;

/** A published set of corrupted images. */
export interface CorruptionSource {
  /** The folder of the published archive. */
  readonly folder: string;
  readonly classes: readonly string[];
  readonly imageShape: PixelShape;
}

const sourceOf = (folder: string, { classes, imageShape }: FileSource): CorruptionSource => ({
  folder,
  classes,
  imageShape,
});

/** The sets by their names. */
export const corruptionSets = {
  'cifar10-c': sourceOf('CIFAR-10-C', cifar10.source),
  'cifar100-c': sourceOf('CIFAR-100-C', cifar100.source),
} as const satisfies Readonly<Record<string, CorruptionSource>>;

export type CorruptionSetName = keyof typeof corruptionSets;

export const isCorruptionSet = (name: string): name is CorruptionSetName => Object.hasOwn(corruptionSets, name);

/** A set on disk, with the labels of its images. */
export interface CorruptionSet extends CorruptionSource {
  readonly name: CorruptionSetName;
  readonly directory: string;
  /** The corruptions that are there: all that the mean is over, and extra ones. */
  readonly corruptions: readonly string[];
  /** Images of each severity. */
  readonly count: number;
  readonly labels: Uint8Array;
}

const LABELS = 'labels.npy';

/**
 * Opens a set of corrupted images.
 *
 * @param directory the folder of all data sets, or the very folder of the files
 * @throws InputError if files are missing, with what gets them, or damaged
 */
export async function openCorruptions(name: CorruptionSetName, directory?: string): Promise<CorruptionSet> {
  const root = dataDirectory(directory);
  const folders = [join(root, name), join(root, corruptionSets[name].folder), root];
  for (const folder of folders) {
    const labels = join(folder, LABELS);
    if (await reading(labels, () => isThere(labels))) return openFolder(name, folder);
  }
  throw new InputError(
    `The files of ${name} (labels.npy, gaussian_noise.npy, …) are not in ${folders.join(', ')}. Unpack ${corruptionSets[name].folder}.tar and add them with \`equipoise data add ${corruptionSets[name].folder} --name ${name}\`, or name their folder with --data.`,
  );
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error) => (isMissing(error) ? false : Promise.reject(error)),
  );

async function openFolder(name: CorruptionSetName, directory: string): Promise<CorruptionSet> {
  const source = corruptionSets[name];
  const labelsFile = join(directory, LABELS);
  const header = await headerOf(labelsFile);
  const { shape } = header;
  const [all] = shape;
  if (shape.length !== 1 || all === 0 || all % SEVERITIES !== 0) {
    throw new InputError(
      `${labelsFile} has the shape (${shape.join(', ')}), expected one label an image for ${SEVERITIES} severities of equally many images.`,
    );
  }
  const count = all / SEVERITIES;
  const labels = npyNumbers(header, await bytesOf(labelsFile, 0, all * header.width));
  const isClass = (label: number): boolean => Number.isInteger(label) && label >= 0 && label < source.classes.length;
  const wrong = labels.findIndex((label, i) => !isClass(label) || label !== labels[i % count]);
  if (wrong >= 0) {
    throw new InputError(
      `${labelsFile} has label ${labels[wrong]} at image ${wrong}, expected 0 to ${source.classes.length - 1}, the same for every severity.`,
    );
  }
  const corruptions: string[] = [];
  for (const corruption of [...CORRUPTIONS, ...EXTRA_CORRUPTIONS]) {
    const path = join(directory, `${corruption}.npy`);
    if (!(await isThere(path))) {
      if ((EXTRA_CORRUPTIONS as readonly string[]).includes(corruption)) continue;
      throw new InputError(
        `${path} is missing: the mean is over ${CORRUPTIONS.length} corruptions. Unpack the archive again.`,
      );
    }
    const expected = [all, ...source.imageShape];
    const { shape: found, type } = await headerOf(path);
    if (type !== '|u1')
      throw new InputError(`${path} holds ${type}, expected pixels as unsigned bytes, |u1. Unpack the archive again.`);
    if (String(found) !== String(expected)) {
      throw new InputError(`${path} has the shape (${found.join(', ')}), expected (${expected.join(', ')}).`);
    }
    corruptions.push(corruption);
  }
  return { ...source, name, directory, corruptions, count, labels: Uint8Array.from(labels.slice(0, count)) };
}

async function headerOf(path: string): Promise<ReturnType<typeof readNpyHeader>> {
  return reading(path, async () => {
    await checkEnds(path);
    const file = await open(path);
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read(new Uint8Array(NPY_HEADER_BYTES), 0, NPY_HEADER_BYTES, 0);
      return readNpyHeader(path, buffer.subarray(0, bytesRead), size);
    } finally {
      await file.close();
    }
  });
}

/** `length` values of a file from value `from` on. */
async function bytesOf(path: string, from: number, length: number): Promise<Uint8Array> {
  const { dataStart } = await headerOf(path);
  return reading(path, async () => {
    const file = await open(path);
    try {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(bytes, done, length - done, dataStart + from + done);
        if (bytesRead === 0) throw new InputError(`${path} became shorter while it was read. Start again.`);
        done += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  });
}

/** The images of one corruption at one severity, 1 … 5. */
export async function readCorruption(
  { directory, imageShape, count, labels }: CorruptionSet,
  corruption: string,
  severity: number,
): Promise<Split> {
  const size = count * imageShape[0] * imageShape[1] * imageShape[2];
  const images = await bytesOf(join(directory, `${corruption}.npy`), (severity - 1) * size, size);
  return { count, images, labels };
}

/**
 * Takes over the unpacked files of a set. They are checked before their copies appear in the data directory.
 *
 * @throws UsageError if the path is no folder; InputError if files are missing or damaged, or cannot be copied
 */
export async function addCorruptions(
  path: string,
  name: CorruptionSetName,
  { directory, ...lock }: DatasetLockOptions & { readonly directory?: string } = {},
): Promise<CorruptionSet> {
  const root = dataDirectory(directory);
  return explainingErrors(root, async () => {
    if (!(await stat(path)).isDirectory()) {
      throw new UsageError(
        `${path} is no folder. Unpack it, as \`${shellCommand('tar', 'xf', pathWord(path))}\` does, and name the folder of its .npy files.`,
      );
    }
    const below = join(path, corruptionSets[name].folder);
    const found = await openFolder(name, (await isThere(join(path, LABELS))) || !(await isThere(below)) ? path : below);
    await withStaging(root, async (folder) => {
      for (const file of [LABELS, ...found.corruptions.map((corruption) => `${corruption}.npy`)]) {
        lock.signal?.throwIfAborted();
        await copyFile(join(found.directory, file), join(folder, file));
      }
      await withDatasetLock(root, name, lock, (guard) => publish(folder, join(root, name), guard));
    });
    return { ...found, directory: join(root, name) };
  });
}
