import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import type { DataFile, Format, PixelShape, Split } from './types.ts';

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
