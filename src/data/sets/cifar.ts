// CIFAR-10 and CIFAR-100 in their binary format.
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import { sha1, sha256 } from '../files/checksum.ts';
import type { DataFile, DatasetDefinition, FileSource, Format, PixelShape, Split } from '../types.ts';
import { CIFAR10_CLASSES } from './cifar10-classes.ts';
import { CIFAR100_CLASSES } from './cifar100-classes.ts';
import { PHOTO_DEFAULTS } from './defaults.ts';

const compareNumbered = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true });

/**
 * CIFAR's binary layout: records of `labelBytes` labels, of which the last counts, and the pixels of one image plane by
 * plane (https://www.cs.toronto.edu/~kriz/cifar.html). A file holds any whole number of records.
 */
export const cifarFormat = ({
  train,
  test,
  labelBytes,
  expected,
}: {
  readonly train: RegExp;
  readonly test: RegExp;
  readonly labelBytes: number;
  readonly expected: string;
}): Format => ({
  expected,
  files: (names) => ({
    train: names.filter((name) => train.test(name)).sort(compareNumbered),
    test: names.filter((name) => test.test(name)),
  }),
  decode: (files, imageShape, classes) => decodeCifar(files, imageShape, classes, labelBytes),
});

function decodeCifar(files: readonly DataFile[], imageShape: PixelShape, classes: number, labelBytes: number): Split {
  const [height, width, channels] = imageShape;
  const pixels = sizeOf(imageShape);
  const recordBytes = labelBytes + pixels;
  const count = files.reduce((total, file) => total + recordsIn(file, recordBytes), 0);
  const images = new Uint8Array(count * pixels);
  const labels = new Uint8Array(count);
  let image = 0;
  for (const { name, bytes } of files) {
    for (let record = 0; record < bytes.length; record += recordBytes, image++) {
      const label = bytes[record + labelBytes - 1];
      if (label >= classes) {
        throw new InputError(
          `${name} has label ${label} at byte ${record + labelBytes - 1}; expected 0 to ${classes - 1}. The file is damaged or of another data set.`,
        );
      }
      labels[image] = label;
      interleave(bytes, record + labelBytes, images, image * pixels, height * width, channels);
    }
  }
  return { count, images, labels };
}

function recordsIn({ name, bytes }: DataFile, recordBytes: number): number {
  const records = Math.floor(bytes.length / recordBytes);
  if (records === 0 || records * recordBytes !== bytes.length) {
    throw new InputError(
      `${name} ends at byte ${bytes.length}, inside record ${records}, which starts at byte ${records * recordBytes} and takes ${recordBytes} bytes: the file is truncated or of another data set.`,
    );
  }
  return records;
}

/** Planes of one image at `from` → pixels with their channels side by side at `to`. */
function interleave(
  source: Uint8Array,
  from: number,
  target: Uint8Array,
  to: number,
  area: number,
  channels: number,
): void {
  for (let channel = 0; channel < channels; channel++) {
    const plane = from + channel * area;
    for (let i = 0; i < area; i++) target[to + i * channels + channel] = source[plane + i];
  }
}

export const cifar10: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: CIFAR10_CLASSES,
    imageShape: [32, 32, 3],
    format: cifarFormat({
      train: /^data_batch_\d+\.bin$/,
      test: /^test_batch\.bin$/,
      labelBytes: 1,
      expected: 'data_batch_1.bin … data_batch_5.bin and test_batch.bin',
    }),
    checksums: {
      'data_batch_1.bin': sha1('aadd24acce27caa71bf4b10992e9e7b2d74c2540'),
      'data_batch_2.bin': sha1('c0ba65cce70568cd57b4e03e9ac8d2a5367c1795'),
      'data_batch_3.bin': sha1('1dd00a74ab1d17a6e7d73e185b69dbf31242f295'),
      'data_batch_4.bin': sha1('aab85764eb3584312d3c7f65fd2fd016e36a258e'),
      'data_batch_5.bin': sha1('26e2849e66a845b7f1e4614ae70f4889ae604628'),
      'test_batch.bin': sha1('67eb016db431130d61cd03c7ad570b013799c88c'),
    },
    downloads: [
      {
        url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
        checksum: sha256('c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd'),
        bytes: 170_052_171,
        unpack: 'tar.gz',
      },
    ],
    folders: ['cifar-10-batches-bin'],
  },
  defaults: PHOTO_DEFAULTS,
};

export const cifar100: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: CIFAR100_CLASSES,
    imageShape: [32, 32, 3],
    format: cifarFormat({
      train: /^train\.bin$/,
      test: /^test\.bin$/,
      labelBytes: 2,
      expected: 'train.bin and test.bin',
    }),
    checksums: {
      'train.bin': sha1('e207cd2e05b73b1393c74c7f5e7bea451d63e08e'),
      'test.bin': sha1('8fb6623e830365ff53cf14adec797474f5478006'),
    },
    downloads: [
      {
        url: 'https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz',
        checksum: sha256('58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec'),
        bytes: 168_513_733,
        unpack: 'tar.gz',
      },
    ],
    folders: ['cifar-100-binary'],
  },
  defaults: PHOTO_DEFAULTS,
};
