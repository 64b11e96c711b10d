// JPEG files: the header is read here, so that size, colours and orientation are known before anything is decoded;
// libjpeg-turbo decodes.
import { InputError } from '../../core/errors.ts';
import type { DataFile } from '../types.ts';
import { type AboutPicture, EXIF_NAME, orientationBy, upright } from './orientation.ts';
import { checkPixels, damaged, type Picture } from './picture.ts';

/** Huffman tables, an extension, arithmetic coding conditions: the markers from 0xc0 to 0xcf that start no frame. */
const NO_FRAME_HEADERS: readonly number[] = [0xc4, 0xc8, 0xcc];

/** Markers without a length: 0x01 and restarts. */
const isBare = (marker: number): boolean => marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7);

const APP1 = 0xe1;
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = 0xd9;

/** A progressive file of a sensible encoder has about ten scans; each one costs a pass over the whole image. */
const MAX_SCANS = 500;

interface JpegHeader {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly components: number;
  readonly orientation: number;
}

/**
 * The pixels of a JPEG file, grey or RGB, turned upright by its EXIF or XMP orientation. The components are YCbCr or RGB as
 * libjpeg takes them: by a JFIF marker, the transform in an Adobe marker, or the names of the components.
 *
 * @throws InputError naming the file
 */
export async function decodeJpeg({ name, bytes }: DataFile): Promise<Picture> {
  const { width, height, bits, components, orientation } = readHeader(name, bytes);
  if (bits !== 8) throw new InputError(`${name} has ${bits} bits a channel; expected 8. Convert it to 8 bits.`);
  if (components !== 1 && components !== 3) {
    throw new InputError(
      `${name} has ${components} colour components${components === 4 ? ' (CMYK)' : ''}; expected grey or RGB. Convert it to RGB.`,
    );
  }
  checkPixels(name, width, height);
  if (countScans(bytes) > MAX_SCANS) throw damaged(name, `more than ${MAX_SCANS} scans`);
  const { decodeWithLibjpegTurbo } = await import('./libjpeg-turbo.ts');
  const decoded = await decodeWithLibjpegTurbo(bytes);
  if (decoded === null) throw damaged(name, 'its image data end too early, or are wrong');
  return upright({ width, height, channels: components, pixels: decoded.pixels }, orientation);
}

/** Reads the segments before the first scan. */
function readHeader(name: string, bytes: Uint8Array): JpegHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let frame: Omit<JpegHeader, 'orientation'> | null = null;
  let about: AboutPicture = {};
  for (let at = 2; at + 4 <= bytes.length; ) {
    if (bytes[at] !== 0xff) throw damaged(name, `no marker at byte ${at}`);
    const marker = bytes[at + 1];
    // Any number of 0xff may come before a marker.
    if (marker === 0xff) at += 1;
    else if (isBare(marker)) at += 2;
    else if (marker === START_OF_SCAN || marker === END_OF_IMAGE) break;
    else {
      const end = at + 2 + view.getUint16(at + 2);
      const segment = bytes.subarray(at + 4, end);
      if (end > bytes.length) throw damaged(name, `it ends within the segment at byte ${at}`);
      if (isFrameHeader(marker)) {
        if (segment.length < 6) throw damaged(name, `a frame header of ${segment.length} bytes at byte ${at}`);
        const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
        frame = { bits: segment[0], height, width, components: segment[5] };
      }
      if (marker === APP1) about = withSegment(about, segment);
      at = end;
    }
  }
  if (frame === null) throw damaged(name, 'no frame header before the image data');
  return { ...frame, orientation: orientationBy(about) };
}

const isFrameHeader = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && !NO_FRAME_HEADERS.includes(marker);

const XMP_NAME = Buffer.from('http://ns.adobe.com/xap/1.0/\0', 'latin1');

/** What is known with an APP1 segment. Of several, the first EXIF data and the last XMP data count, as for Pillow. */
function withSegment(about: AboutPicture, segment: Uint8Array): AboutPicture {
  const startsWith = (name: Buffer): boolean => name.equals(segment.subarray(0, name.length));
  if (startsWith(XMP_NAME)) return { ...about, xmp: segment.subarray(XMP_NAME.length) };
  if (startsWith(EXIF_NAME) && !about.exif) return { ...about, exif: segment };
  return about;
}

function countScans(bytes: Uint8Array): number {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === START_OF_SCAN) scans++;
  }
  return scans;
}
