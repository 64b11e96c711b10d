// The orientation in a picture's EXIF data (CIPA DC-008, tag 0x0112) or in its XMP data, and turning the pixels upright by it.
import type { Picture } from './picture.ts';

const ORIENTATION = 0x0112;

/** How a TIFF entry of one whole number is read, by its type. */
const READERS: Readonly<Record<number, (view: DataView, at: number, little: boolean) => number>> = {
  3: (view, at, little) => view.getUint16(at, little),
  4: (view, at, little) => view.getUint32(at, little),
  8: (view, at, little) => view.getInt16(at, little),
  9: (view, at, little) => view.getInt32(at, little),
};

/** What a picture's file says about the picture, where it says something. */
export interface AboutPicture {
  /** From the header "II" or "MM" of its TIFF directory on, or from the name Exif before that. */
  readonly exif?: Uint8Array | null;
  readonly xmp?: Uint8Array | null;
}

/**
 * The orientation, 1 … 8: where the first row and the first column of the stored pixels belong. EXIF data are asked first,
 * then XMP. It is 1, upright, where neither announces one, or where the one announced does not exist.
 */
export function orientationBy({ exif, xmp }: AboutPicture): number {
  const announced = (exif && exifOrientation(exif)) ?? (xmp && xmpOrientation(xmp)) ?? 1;
  return announced >= 1 && announced <= 8 ? announced : 1;
}

/** The orientation that XMP data announce, as an attribute or as an element; null for none. */
function xmpOrientation(xmp: Uint8Array): number | null {
  const found = /tiff:Orientation(?:="|>)([0-9])/.exec(Buffer.from(xmp).toString('latin1'));
  return found && Number(found[1]);
}

/** What may stand before EXIF data. */
export const EXIF_NAME = Buffer.from('Exif\0\0', 'latin1');

/** The orientation that EXIF data announce, whether or not it exists; null for none. */
function exifOrientation(exif: Uint8Array): number | null {
  const tiff = EXIF_NAME.equals(exif.subarray(0, EXIF_NAME.length)) ? exif.subarray(EXIF_NAME.length) : exif;
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  if (tiff.length < 8) return null;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return null;
  const directory = view.getUint32(4, little);
  if (directory + 2 > tiff.length) return null;
  const entries = view.getUint16(directory, little);
  for (let at = directory + 2, entry = 0; entry < entries && at + 12 <= tiff.length; entry++, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    return READERS[view.getUint16(at + 2, little)]?.(view, at + 8, little) ?? 0;
  }
  return null;
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
