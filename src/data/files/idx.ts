// MNIST's idx files: a header of big-endian numbers, then bytes.
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import type { DataFile, Format, PixelShape, Split } from '../types.ts';

const UNSIGNED_BYTES = 0x08;

const namesOf = (prefix: string): readonly string[] => [`${prefix}-images-idx3-ubyte`, `${prefix}-labels-idx1-ubyte`];

const present = (wanted: readonly string[], names: readonly string[]): readonly string[] =>
  wanted.every((name) => names.includes(name)) ? wanted : [];

/** MNIST's idx files, one of images and one of labels a split. */
export const idxFormat: Format = {
  expected: 'train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (or .gz)',
  files: (names) => ({ train: present(namesOf('train'), names), test: present(namesOf('t10k'), names) }),
  decode: ([imageFile, labelFile], [height, width, channels], classes): Split => {
    const images = decodeIdx(imageFile, 3);
    const labels = decodeIdx(labelFile, 1);
    if (images.shape[1] !== height || images.shape[2] !== width || channels !== 1) {
      throw new InputError(
        `${imageFile.name} has images of ${images.shape[1]}×${images.shape[2]} from byte 8; expected ${height}×${width}.`,
      );
    }
    if (images.shape[0] !== labels.shape[0]) {
      throw new InputError(
        `${imageFile.name} has ${images.shape[0]} images, ${labelFile.name} has ${labels.shape[0]} labels (both at byte 4): they do not belong together.`,
      );
    }
    if (labels.data.length === 0)
      throw new InputError(`${imageFile.name} has no images (byte 4); expected at least one.`);
    const wrong = labels.data.findIndex((label) => label >= classes);
    if (wrong >= 0) {
      throw new InputError(
        `${labelFile.name} has label ${labels.data[wrong]} at byte ${8 + wrong}; expected 0 to ${classes - 1}.`,
      );
    }
    return { count: labels.data.length, images: images.data, labels: labels.data };
  },
};

/**
 * The bytes of an idx file: 0, 0, the element type, the rank, then big-endian extents and the data.
 *
 * @throws InputError naming the byte that is wrong
 */
export function decodeIdx({ name, bytes }: DataFile, rank: number): { shape: readonly number[]; data: Uint8Array } {
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    throw new InputError(`${name} ends at byte ${bytes.length}, within its header of ${start} bytes: it is truncated.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  if (magic !== ((UNSIGNED_BYTES << 8) | rank)) {
    throw new InputError(
      `${name} starts with 0x${magic.toString(16).padStart(8, '0')} at byte 0; an idx file of bytes with ${rank} dimensions starts with 0x0000080${rank}.`,
    );
  }
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const end = start + sizeOf(shape);
  if (bytes.length !== end) {
    throw new InputError(
      `${name} ends at byte ${bytes.length}; its header announces ${shape.join(' × ')} values, up to byte ${end}.`,
    );
  }
  return { shape, data: bytes.slice(start) };
}

export const DIGIT_SHAPE: PixelShape = [28, 28, 1];
