// SVHN's cropped digits, as published and as MATLAB and Python save them again.
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import { sha256 } from '../files/checksum.ts';
import { decodeMat, type MatArray } from '../files/mat.ts';
import type { DataFile, DatasetDefinition, FileSource, Format, PixelShape, Split } from '../types.ts';
import { DIGITS, PHOTO_DEFAULTS } from './defaults.ts';

/** SVHN's cropped digits (http://ufldl.stanford.edu/housenumbers): X [height, width, channels, count], y [count, 1]. */
export const svhnFormat: Format = {
  expected: 'train_32x32.mat and test_32x32.mat',
  files: (names) => ({
    train: names.filter((name) => name === 'train_32x32.mat'),
    test: names.filter((name) => name === 'test_32x32.mat'),
  }),
  decode: ([file], imageShape) => decodeSvhn(file, imageShape),
};

function decodeSvhn(file: DataFile, [height, width, channels]: PixelShape): Split {
  const { X, y } = decodeMat(file, ['X', 'y']);
  // A single image has no fourth axis, since MATLAB drops trailing axes of extent 1.
  const count = X?.shape.length === 3 ? 1 : (X?.shape[3] ?? 0);
  const expected = [height, width, channels, count].slice(0, X?.shape.length);
  if (
    X === undefined ||
    y === undefined ||
    String(X.shape) !== String(expected) ||
    count === 0 ||
    !isVector(y, count)
  ) {
    const found = (array?: MatArray) => (array === undefined ? 'missing' : `[${array.shape}]`);
    throw new InputError(
      `${file.name} has X ${found(X)} and y ${found(y)}; expected X [${height},${width},${channels},n] and y [n,1].`,
    );
  }
  const size = height * width * channels;
  const images = new Uint8Array(count * size);
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let column = 0; column < width; column++) {
        const from = ((image * channels + channel) * width + column) * height;
        for (let row = 0; row < height; row++) {
          const value = X.at(from + row);
          if (!(Number.isInteger(value) && value >= 0 && value <= 255)) {
            throw new InputError(
              `${file.name} has the pixel ${value} in image ${image}; expected whole numbers 0 to 255.`,
            );
          }
          images[image * size + (row * width + column) * channels + channel] = value;
        }
      }
    }
  }
  const labels = Uint8Array.from({ length: count }, (_, image) => {
    const label = y.at(image);
    if (!(Number.isInteger(label) && label >= 1 && label <= 10)) {
      throw new InputError(`${file.name} has label ${label} for image ${image}; expected 1 to 10 (10 is the digit 0).`);
    }
    return label % 10;
  });
  return { count, images, labels };
}

/** True if an array is a column or a row of so many values. */
const isVector = ({ shape }: MatArray, count: number): boolean =>
  sizeOf(shape) === count && Math.max(...shape) === count;

const HOST = 'http://ufldl.stanford.edu/housenumbers';

const CHECKSUMS = {
  'train_32x32.mat': sha256('435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8'),
  'test_32x32.mat': sha256('cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b'),
};

const BYTES: Readonly<Record<keyof typeof CHECKSUMS, number>> = {
  'train_32x32.mat': 182_040_794,
  'test_32x32.mat': 64_275_384,
};

export const svhn: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: DIGITS,
    imageShape: [32, 32, 3],
    format: svhnFormat,
    checksums: CHECKSUMS,
    downloads: (['train_32x32.mat', 'test_32x32.mat'] as const).map((name) => ({
      url: `${HOST}/${name}`,
      checksum: CHECKSUMS[name],
      bytes: BYTES[name],
      unpack: 'none',
    })),
    folders: [],
  },
  defaults: { ...PHOTO_DEFAULTS, augment: 'shift' },
};
