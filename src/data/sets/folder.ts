// A folder of the user's own images as a data set. All files are tried before an error tells of those that cannot be used.
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { byteSize } from '../../core/quantities.ts';
import { sizeOf } from '../../core/structure.ts';
import { digestOf } from '../files/checksum.ts';
import { dataLimits, MAX_PICTURE_BYTES, RAISE_LIMIT } from '../files/limits.ts';
import { readRegularFile } from '../files/read-file.ts';
import { decodePicture } from '../pictures/decode.ts';
import type { Picture } from '../pictures/picture.ts';
import type { Dataset, DatasetDefinition, FolderSource, PixelShape, Split, SplitName } from '../types.ts';
import { PHOTO_DEFAULTS } from './defaults.ts';
import { type Listed, listImages, problemsError } from './folder-listing.ts';

const READ_AT_ONCE = 16;

/** An image file that was read. */
interface Image extends Listed {
  readonly picture: Picture;
  readonly sha256: string;
}

/**
 * Images in folders named for their classes: train/CLASS/… and test/CLASS/…, or CLASS/… alone, where the fifth of each
 * class's files with the lowest SHA-256 of `CLASS/FILE` is the test split. All images are of one size; where some are in
 * colour, grey ones get three equal channels.
 *
 * @throws InputError naming the folder or the files that are wrong
 */
export async function loadFolder(folder: string): Promise<Dataset> {
  const { classes, train, test, problems: listed } = await listImages(folder);
  const problems = [...listed];
  const checkTotal = totalCheck(folder, train.length + test.length);
  const images = {
    train: await readImages(folder, train, problems, checkTotal),
    test: await readImages(folder, test, problems, checkTotal),
  };
  const all = [...images.train, ...images.test];
  problems.push(...otherSizes(folder, all));
  if (problems.length > 0) throw problemsError(folder, problems);
  const [{ picture }] = all;
  const imageShape: PixelShape = [
    picture.height,
    picture.width,
    all.some(({ picture }) => picture.channels === 3) ? 3 : 1,
  ];
  const split = (name: SplitName): Split => ({
    count: images[name].length,
    images: gather(images[name], imageShape),
    labels: Uint8Array.from(images[name], ({ label }) => label),
  });
  return {
    name: 'folder',
    classes,
    imageShape,
    train: split('train'),
    test: split('test'),
    sha256: digestOf('sha256', all.map(({ sha256, path }) => `${sha256}  ${path}\n`).join('')),
    official: true,
  };
}

/** The images of the files that can be used; the others become problems. */
async function readImages(
  folder: string,
  listed: readonly Listed[],
  problems: string[],
  check: (picture: Picture) => void,
): Promise<readonly Image[]> {
  const images: Image[] = [];
  for (let start = 0; start < listed.length; start += READ_AT_ONCE) {
    const some = listed.slice(start, start + READ_AT_ONCE);
    const outcomes = await Promise.allSettled(some.map((file) => readImage(folder, file)));
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') {
        check(outcome.value.picture);
        images.push(outcome.value);
      } else if (outcome.reason instanceof InputError) problems.push(outcome.reason.message);
      else throw outcome.reason;
    }
  }
  return images;
}

async function readImage(folder: string, { path, label }: Listed): Promise<Image> {
  const name = join(folder, path);
  const bytes = await readRegularFile(name, MAX_PICTURE_BYTES, 'Make the image smaller');
  return { path, label, picture: await decodePicture({ name, bytes }), sha256: digestOf('sha256', bytes) };
}

/** Refuses a folder whose images would not fit into memory, as soon as the size of the first image is known. */
function totalCheck(folder: string, count: number): (picture: Picture) => void {
  const { total } = dataLimits();
  let read = 0;
  return ({ height, width, pixels }) => {
    read += pixels.length;
    if (read <= total && count * height * width <= total) return;
    throw new InputError(
      `${folder} has ${count} images, one of them of ${width}×${height} pixels, which take more than ${byteSize(total)} of memory. Make them smaller. ${RAISE_LIMIT}.`,
    );
  };
}

/** The images that are not of the size that most have. */
function otherSizes(folder: string, images: readonly Image[]): readonly string[] {
  const sizes = new Map<string, { readonly first: Image; count: number }>();
  for (const image of images) {
    const size = describeSize(image.picture);
    const known = sizes.get(size);
    if (known === undefined) sizes.set(size, { first: image, count: 1 });
    else known.count++;
  }
  const [usual] = [...sizes.values()].sort((a, b) => b.count - a.count);
  return images
    .filter(({ picture }) => describeSize(picture) !== describeSize(usual.first.picture))
    .map(
      ({ path, picture }) =>
        `${join(folder, path)} has ${describeSize(picture)} pixels, and ${usual.first.path} has ${describeSize(usual.first.picture)}; bring all images to one size, as equipoise data prepare does.`,
    );
}

const describeSize = ({ width, height }: Picture): string => `${width}×${height}`;

/** The images one after another; grey is repeated in every channel. */
function gather(all: readonly Image[], imageShape: PixelShape): Uint8Array {
  const size = sizeOf(imageShape);
  const images = new Uint8Array(all.length * size);
  all.forEach(({ picture: { channels, pixels } }, i) => {
    if (channels === imageShape[2]) images.set(pixels, i * size);
    else for (let j = 0; j < size; j++) images[i * size + j] = pixels[Math.floor(j / imageShape[2])];
  });
  return images;
}

export const folder: DatasetDefinition<FolderSource> = {
  source: { kind: 'folder', load: loadFolder },
  defaults: { ...PHOTO_DEFAULTS, epsilon: { linf: 4 / 255, l2: 3, l1: null }, stepSize: null, batchSize: 32 },
};
