// The orientation in a picture's EXIF data (CIPA DC-008, tag 0x0112), and turning the pixels upright by it.
import type { Picture } from './picture.ts';

const ORIENTATION = 0x0112;

/** How a TIFF entry of one whole number is read, by its type. */
const READERS: Readonly<Record<number, (view: DataView, at: number, little: boolean) => number>> = {
  3: (view, at, little) => view.getUint16(at, little),
  4: (view, at, little) => view.getUint32(at, little),
};

/**
 * The orientation that EXIF data announce, 1 … 8: where the first row and the first column of the stored pixels belong. It
 * is 1, upright, where they announce none, or one that does not exist.
 *
 * @param tiff from its header "II" or "MM" on
 */
export function exifOrientation(tiff: Uint8Array): number {
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  if (tiff.length < 8) return 1;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return 1;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return 1;
  const entries = view.getUint16(directory, little);
  for (let at = directory + 2, entry = 0; entry < entries && at + 12 <= tiff.length; entry++, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const orientation = READERS[view.getUint16(at + 2, little)]?.(view, at + 8, little) ?? 1;
    return orientation >= 1 && orientation <= 8 ? orientation : 1;
  }
  return 1;
}

/** A picture turned and mirrored to stand upright. */
export function upright(picture: Picture, orientation: number): Picture {
  if (orientation === 1) return picture;
  const { height, width, channels, pixels } = picture;
  const transposed = orientation >= 5;
  const fromBottom = [3, 4, 6, 7].includes(orientation);
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const [rows, columns] = transposed ? [width, height] : [height, width];
  const turned = new Uint8Array(pixels.length);
  for (let row = 0, to = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [y, x] = transposed ? [column, row] : [row, column];
      const from = ((fromBottom ? height - 1 - y : y) * width + (fromRight ? width - 1 - x : x)) * channels;
      for (let channel = 0; channel < channels; channel++) turned[to++] = pixels[from + channel];
    }
  }
  return { height: rows, width: columns, channels, pixels: turned };
}
