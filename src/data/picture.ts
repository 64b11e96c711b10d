import { InputError } from '../core/errors.ts';
import type { DataFile } from './types.ts';

/** A decoded image of bytes. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  /** 1: grey, 3: red, green and blue. */
  readonly channels: 1 | 3;
  /** [height, width, channels], row-major */
  readonly pixels: Uint8Array;
}

/**
 * The pixels of a PNG or JPEG file, told apart by their first bytes. A palette is looked up and grey of fewer bits is
 * spread over 0 … 255; an alpha channel is left out if it is opaque everywhere. Colour profiles and EXIF rotation are
 * not applied.
 *
 * @throws InputError naming the file, if it is damaged or truncated, neither of the two, transparent, of 16 bits or CMYK
 */
export async function decodePicture(file: DataFile): Promise<Picture> {
  const [first, second] = file.bytes;
  if (first === 0x89 && second === 0x50) return decodePng(file);
  if (first === 0xff && second === 0xd8) return decodeJpeg(file);
  throw new InputError(
    file.bytes.length === 0
      ? `${file.name} is empty; expected a PNG or JPEG image.`
      : `${file.name} is neither PNG nor JPEG by its first bytes; convert it, or take it away if it is damaged.`,
  );
}

async function decodePng({ name, bytes }: DataFile): Promise<Picture> {
  const { convertIndexedToRgb, decode } = await import('fast-png');
  const image = attempt(name, () => decode(bytes, { checkCrc: true }));
  const { width, height, depth, channels, palette, transparency, data } = image;
  if (depth === 16) {
    throw new InputError(`${name} has 16 bits a channel; images are held in 8 bits. Convert it to 8 bits.`);
  }
  if (transparency !== undefined) throw transparent(name);
  if (palette === undefined && depth === 8) {
    return opaque(name, { width, height, pixels: new Uint8Array(data), channels });
  }
  // Grey of 1, 2 or 4 bits is packed as a palette's indices are.
  const levels = 2 ** depth;
  const colours = palette ?? Array.from({ length: levels }, (_, level) => [Math.round((255 * level) / (levels - 1))]);
  const pixels = attempt(name, () => convertIndexedToRgb({ ...image, palette: colours }));
  return opaque(name, { width, height, pixels, channels: colours[0].length });
}

/** Leaves out an alpha channel, the last of two or four, which must be 255 everywhere. */
function opaque(
  name: string,
  { width, height, pixels, channels }: Omit<Picture, 'channels'> & { readonly channels: number },
): Picture {
  if (channels === 1 || channels === 3) return { width, height, channels, pixels };
  const colours = channels === 2 ? 1 : 3;
  const kept = new Uint8Array(width * height * colours);
  for (let i = 0; i < width * height; i++) {
    if (pixels[i * channels + colours] !== 255) throw transparent(name);
    for (let channel = 0; channel < colours; channel++) kept[i * colours + channel] = pixels[i * channels + channel];
  }
  return { width, height, channels: colours, pixels: kept };
}

const transparent = (name: string): InputError =>
  new InputError(`${name} is transparent in places, and what is behind it is not known; lay it on a background.`);

async function decodeJpeg({ name, bytes }: DataFile): Promise<Picture> {
  const { default: jpeg } = await import('jpeg-js');
  // The decoder takes missing data for zeros.
  const end = bytes.findLastIndex((byte) => byte !== 0);
  if (bytes[end - 1] !== 0xff || bytes[end] !== 0xd9) {
    throw damaged(name, `no end marker at byte ${bytes.length}: it is truncated`);
  }
  const components = componentsOf(bytes);
  if (components === undefined) throw damaged(name, 'no frame header');
  if (components !== 1 && components !== 3) {
    throw new InputError(`${name} has ${components} colour components; expected grey or RGB. Convert it to RGB.`);
  }
  const { width, height, data } = attempt(name, () =>
    jpeg.decode(bytes, { useTArray: true, formatAsRGBA: false, tolerantDecoding: false }),
  );
  const pixels = components === 3 ? data : data.filter((_, i) => i % 3 === 0);
  return { width, height, channels: components, pixels };
}

/** Huffman tables, an extension, arithmetic coding conditions: the markers from 0xc0 to 0xcf that start no frame. */
const NO_FRAME_HEADERS: readonly number[] = [0xc4, 0xc8, 0xcc];

/** The number of components that a JPEG's frame header announces, which its decoder does not tell. */
function componentsOf(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = 2;
  while (position + 9 < bytes.length) {
    const marker = view.getUint8(position + 1);
    if (marker >= 0xc0 && marker <= 0xcf && !NO_FRAME_HEADERS.includes(marker)) return view.getUint8(position + 9);
    position += marker === 0xff ? 1 : 2 + view.getUint16(position + 2);
  }
  return undefined;
}

/** What a decoder returns; its errors name the file. */
function attempt<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw damaged(name, error instanceof Error ? error.message : String(error));
  }
}

const damaged = (name: string, why: string): InputError =>
  new InputError(`${name} cannot be decoded (${why}); it is truncated, damaged or of a kind that is not read.`);
