import { InputError } from '../core/errors.ts';
import { sha256 } from './checksum.ts';
import { DIGITS, PHOTO_DEFAULTS } from './defaults.ts';
import { decodeMat } from './mat.ts';
import type { DataFile, DatasetDefinition, FileSource, Format, PixelShape, Split } from './types.ts';

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
  const { X, y } = decodeMat(file);
  const count = X?.shape[3] ?? 0;
  const expected = [height, width, channels, count];
  if (X === undefined || String(X.shape) !== String(expected) || y?.values.length !== count || count === 0) {
    throw new InputError(
      `${file.name} holds X [${X?.shape}] and y [${y?.shape}]; expected X [${height},${width},${channels},n] and y [n,1].`,
    );
  }
  const size = height * width * channels;
  const images = new Uint8Array(count * size);
  for (let image = 0; image < count; image++) {
    for (let channel = 0; channel < channels; channel++) {
      for (let column = 0; column < width; column++) {
        const from = ((image * channels + channel) * width + column) * height;
        for (let row = 0; row < height; row++) {
          images[image * size + (row * width + column) * channels + channel] = X.values[from + row];
        }
      }
    }
  }
  const labels = Uint8Array.from({ length: count }, (_, image) => {
    const label = y.values[image];
    if (!(Number.isInteger(label) && label >= 1 && label <= 10)) {
      throw new InputError(`${file.name} has label ${label} for image ${image}; expected 1 to 10 (10 is the digit 0).`);
    }
    return label % 10;
  });
  return { count, images, labels };
}

const HOST = 'http://ufldl.stanford.edu/housenumbers';

const CHECKSUMS = {
  'train_32x32.mat': sha256('435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8'),
  'test_32x32.mat': sha256('cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b'),
};

export const svhn: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: DIGITS,
    imageShape: [32, 32, 3],
    format: svhnFormat,
    checksums: CHECKSUMS,
    downloads: Object.entries(CHECKSUMS).map(([name, checksum]) => ({
      url: `${HOST}/${name}`,
      checksum,
      unpack: 'none',
    })),
    folders: [],
  },
  defaults: { ...PHOTO_DEFAULTS, augment: 'shift' },
};
