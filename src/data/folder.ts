import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import { digestOf } from './checksum.ts';
import { PHOTO_DEFAULTS } from './defaults.ts';
import { decodePicture, type Picture } from './picture.ts';
import type { Dataset, DatasetDefinition, FolderSource, PixelShape, Split, SplitName } from './types.ts';

/** Where train/ and test/ are not told apart by folders: the share of each class's images that is for testing. */
export const TEST_SHARE = 0.2;

/** Labels are bytes. */
const MOST_CLASSES = 256;

const READ_AT_ONCE = 64;

const EXTENSIONS = /\.(png|jpe?g)$/i;

/** An image file: its path below the folder, with slashes, and its class. */
interface Listed {
  readonly path: string;
  readonly label: number;
}

interface Listing {
  readonly classes: readonly string[];
  readonly train: readonly Listed[];
  readonly test: readonly Listed[];
}

/**
 * Images in folders named for their classes: train/CLASS/… and test/CLASS/…, or CLASS/… alone, where the fifth of each
 * class's files with the lowest SHA-256 of `CLASS/FILE` is the test split. All images are of one size; where some are in
 * colour, grey ones get three equal channels.
 *
 * @throws InputError naming the folder or file that is wrong
 */
export async function loadFolder(folder: string): Promise<Dataset> {
  const { classes, ...splits } = await listImages(folder);
  const sums: string[] = [];
  const read = async (listed: readonly Listed[]): Promise<Picture[]> => {
    const pictures: Picture[] = [];
    for (let start = 0; start < listed.length; start += READ_AT_ONCE) {
      const some = listed.slice(start, start + READ_AT_ONCE);
      const contents = await Promise.all(some.map(({ path }) => readFile(join(folder, path))));
      for (const [i, { path }] of some.entries()) {
        sums.push(`${digestOf('sha256', contents[i])}  ${path}\n`);
        pictures.push(await decodePicture({ name: join(folder, path), bytes: contents[i] }));
      }
    }
    return pictures;
  };
  const pictures = { train: await read(splits.train), test: await read(splits.test) };
  const imageShape = commonShape(folder, [...splits.train, ...splits.test], [...pictures.train, ...pictures.test]);
  const split = (name: SplitName): Split => ({
    count: splits[name].length,
    images: gather(pictures[name], imageShape),
    labels: Uint8Array.from(splits[name], ({ label }) => label),
  });
  return {
    name: 'folder',
    classes,
    imageShape,
    train: split('train'),
    test: split('test'),
    sha256: digestOf('sha256', sums.join('')),
    official: true,
  };
}

async function listImages(folder: string): Promise<Listing> {
  const top = await entriesOf(folder);
  const names = top.folders;
  if (names.includes('train') && names.includes('test')) {
    const other = names.find((name) => name !== 'train' && name !== 'test');
    if (other !== undefined) {
      throw new InputError(
        `${join(folder, other)} lies beside train and test, and would not be used; move it away (images for validation are taken from train).`,
      );
    }
    const classes = await classesOf(join(folder, 'train'));
    const tested = await classesOf(join(folder, 'test'));
    for (const [name, there, missing] of [
      ...classes.map((name) => [name, 'train', tested.includes(name) ? null : 'test'] as const),
      ...tested.map((name) => [name, 'test', classes.includes(name) ? null : 'train'] as const),
    ]) {
      if (missing !== null) {
        throw new InputError(
          `${join(folder, there)} has a class ${name}, and ${join(folder, missing)} has none; both need the same.`,
        );
      }
    }
    const list = async (split: SplitName) =>
      (await Promise.all(classes.map((name, label) => imagesOf(folder, `${split}/${name}`, label)))).flat();
    return { classes, train: await list('train'), test: await list('test') };
  }
  for (const [present, absent] of [
    ['train', 'test'],
    ['test', 'train'],
  ]) {
    if (names.includes(present)) {
      throw new InputError(
        `${folder} has a folder ${present} and none named ${absent}; expected both, or folders of classes alone.`,
      );
    }
  }
  const classes = await classesOf(folder);
  const divided = await Promise.all(
    classes.map(async (name, label) => divide(join(folder, name), await imagesOf(folder, name, label))),
  );
  return { classes, train: divided.flatMap(({ train }) => train), test: divided.flatMap(({ test }) => test) };
}

/**
 * The classes that a folder seems to hold pictures of, in folders as `loadFolder` reads them; fewer than two where it is of
 * another kind, or not there.
 */
export async function classFoldersIn(folder: string): Promise<readonly string[]> {
  const top = (await foldersIn(folder)).includes('train') ? join(folder, 'train') : folder;
  const names = (await foldersIn(top)).slice(0, MOST_CLASSES);
  const filled = await Promise.all(
    names.map(async (name) => (await readdir(join(top, name))).some((file) => EXTENSIONS.test(file))),
  );
  return names.filter((_, i) => filled[i]);
}

const foldersIn = async (folder: string): Promise<readonly string[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith('.') ? [entry.name] : [])).sort();
};

/** The images of one class, those of lowest hash for testing. */
function divide(where: string, images: readonly Listed[]): Record<SplitName, readonly Listed[]> {
  if (images.length < 2) {
    throw new InputError(`${where} holds one image; a class needs one to train on and one to test on.`);
  }
  const order = images
    .map((image) => ({ image, hash: digestOf('sha256', image.path) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ image }) => image);
  const tested = new Set(order.slice(0, Math.max(1, Math.round(TEST_SHARE * images.length))));
  return { train: images.filter((image) => !tested.has(image)), test: images.filter((image) => tested.has(image)) };
}

/** The folders in a folder and the other files, by name; hidden ones are left out. */
async function entriesOf(folder: string): Promise<{ folders: readonly string[]; files: readonly string[] }> {
  const found = await readdir(folder, { withFileTypes: true }).catch(() => {
    throw new InputError(
      `${folder} is no folder that can be read; expected one of images in folders of their classes.`,
    );
  });
  const folders: string[] = [];
  const files: string[] = [];
  for (const entry of found.filter(({ name }) => !name.startsWith('.'))) {
    const target = entry.isSymbolicLink() ? await stat(join(folder, entry.name)) : entry;
    (target.isDirectory() ? folders : files).push(entry.name);
  }
  return { folders: folders.sort(), files: files.sort() };
}

async function classesOf(folder: string): Promise<readonly string[]> {
  const { folders, files } = await entriesOf(folder);
  const stray = files.find((name) => EXTENSIONS.test(name));
  if (stray !== undefined) {
    throw new InputError(
      `${join(folder, stray)} is in no folder of a class; expected ${join(folder, 'CLASS', stray)}.`,
    );
  }
  if (folders.length < 2 || folders.length > MOST_CLASSES) {
    throw new InputError(
      `${folder} holds ${folders.length} folders of classes (${folders.slice(0, 5).join(', ') || 'none'}); expected 2 to ${MOST_CLASSES}.`,
    );
  }
  return folders;
}

async function imagesOf(folder: string, below: string, label: number): Promise<readonly Listed[]> {
  const { folders, files } = await entriesOf(join(folder, below));
  const wrong = folders[0] ?? files.find((name) => !EXTENSIONS.test(name));
  if (wrong !== undefined) {
    throw new InputError(`${join(folder, below, wrong)} is no .png, .jpg or .jpeg file; take it away or convert it.`);
  }
  if (files.length === 0) throw new InputError(`${join(folder, below)} holds no images; fill it or take it away.`);
  return files.map((name) => ({ path: `${below}/${name}`, label }));
}

/** The shape of every image, with three channels if any is in colour. */
function commonShape(folder: string, listed: readonly Listed[], pictures: readonly Picture[]): PixelShape {
  const [{ height, width }] = pictures;
  const differs = pictures.findIndex((picture) => picture.height !== height || picture.width !== width);
  if (differs >= 0) {
    const other = pictures[differs];
    throw new InputError(
      `${join(folder, listed[differs].path)} has ${other.width}×${other.height} pixels, and ${listed[0].path} has ${width}×${height}; bring all images to one size, as \`magick mogrify -resize 32x32! FILES\` does.`,
    );
  }
  return [height, width, pictures.some(({ channels }) => channels === 3) ? 3 : 1];
}

/** The images one after another; grey is repeated in every channel. */
function gather(pictures: readonly Picture[], imageShape: PixelShape): Uint8Array {
  const size = sizeOf(imageShape);
  const images = new Uint8Array(pictures.length * size);
  pictures.forEach(({ channels, pixels }, i) => {
    if (channels === imageShape[2]) images.set(pixels, i * size);
    else for (let j = 0; j < size; j++) images[i * size + j] = pixels[Math.floor(j / imageShape[2])];
  });
  return images;
}

export const folder: DatasetDefinition<FolderSource> = {
  source: { kind: 'folder', load: loadFolder },
  defaults: { ...PHOTO_DEFAULTS, epsilon: { linf: 4 / 255, l2: 3, l1: null }, stepSize: null, batchSize: 32 },
};
