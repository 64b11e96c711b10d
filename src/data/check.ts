// Checks of a data set that a program made itself, which no reader of files has seen.
import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import type { Dataset, Split } from './types.ts';

/**
 * Checks that a data set holds what its type says: bytes of pixels, as many as its images have, and a class for each image.
 *
 * @throws InputError naming what is wrong, and the image
 */
export function checkDataset(dataset: Dataset): Dataset {
  const { name, classes, imageShape, train, test, sha256, official } = dataset;
  if (typeof name !== 'string' || !Array.isArray(classes)) {
    throw new InputError('dataset: expected a name, or a Dataset with name and classes. loadDataset(name) gives one.');
  }
  const unnamed = classes.findIndex((one) => typeof one !== 'string');
  if (unnamed >= 0) {
    throw new InputError(`${name}: expected classes as names, got ${String(classes[unnamed])} as class ${unnamed}.`);
  }
  if (typeof sha256 !== 'string' || sha256 === '') {
    throw new InputError(
      `${name}: expected sha256 as a text that tells its images from others, such as the SHA-256 of their pixels, got ${sha256 === '' ? 'an empty one' : String(sha256)}. Results of equal texts are put together.`,
    );
  }
  if (typeof official !== 'boolean') {
    throw new InputError(
      `${name}: expected official as true or false, got ${String(official)}. Say false for images of your own.`,
    );
  }
  if (!Array.isArray(imageShape) || imageShape.length !== 3 || !imageShape.every((extent) => isWhole(extent, 1))) {
    throw new InputError(`${name}: expected imageShape as [height, width, channels], got [${imageShape}].`);
  }
  checkSplit(`${name}, train`, train, sizeOf(imageShape), classes.length);
  checkSplit(`${name}, test`, test, sizeOf(imageShape), classes.length);
  return dataset;
}

function checkSplit(name: string, split: Split | undefined, size: number, classes: number): void {
  const { count, images, labels } = split ?? {};
  if (!(isWhole(count, 0) && images instanceof Uint8Array && labels instanceof Uint8Array)) {
    throw new InputError(
      `${name}: expected a count, with images and labels as Uint8Array. Pixels are bytes, 0 … 255: Math.round(255 * pixel).`,
    );
  }
  if (images.length !== count * size || labels.length !== count) {
    throw new InputError(
      `${name}: expected ${count * size} pixels and ${count} labels for ${count} images, got ${images.length} and ${labels.length}. Give each image its pixels and its class.`,
    );
  }
  const beyond = labels.findIndex((label) => label >= classes);
  if (beyond < 0) return;
  throw new InputError(
    `${name}: expected labels 0 … ${classes - 1}, the places in classes; that of image ${beyond} is ${labels[beyond]}.`,
  );
}

const isWhole = (value: unknown, least: number): value is number => Number.isInteger(value) && Number(value) >= least;
