// Decoding a picture, whichever format its file has.
import { InputError } from '../../core/errors.ts';
import type { DataFile } from '../types.ts';
import { decodeJpeg } from './jpeg.ts';
import type { Colour, Picture } from './picture.ts';
import { decodePng } from './png.ts';

/**
 * The pixels of a PNG or JPEG file, told apart by their first bytes, turned upright by EXIF data. A palette is looked up and
 * grey of fewer bits is spread over 0 … 255; an alpha channel is left out if it is opaque everywhere. Colour profiles are
 * not applied.
 *
 * @param background what is behind a transparent picture; by default such a picture is refused
 * @throws InputError naming the file, if it is damaged or truncated, neither of the two, transparent, of 16 bits, CMYK or
 * larger than 4096 × 4096 pixels
 */
export async function decodePicture(file: DataFile, background?: Colour): Promise<Picture> {
  const [first, second] = file.bytes;
  if (first === 0x89 && second === 0x50) return decodePng(file, background);
  if (first === 0xff && second === 0xd8) return decodeJpeg(file);
  throw new InputError(
    file.bytes.length === 0
      ? `${file.name} is empty; expected a PNG or JPEG image.`
      : `${file.name} is neither PNG nor JPEG by its first bytes; convert it, or remove it if it is damaged.`,
  );
}
