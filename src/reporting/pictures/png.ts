// Encodes pixels as PNG files.
import { encode } from 'fast-png';
import { sizeOf } from '../../core/structure.ts';

/** Bytes [height, width, channels], row-major, as a PNG file; one channel or three. */
export const encodePng = (data: Uint8Array, [height, width, channels]: readonly [number, number, number]): Uint8Array =>
  encode({ width, height, data, channels, depth: 8 });

/**
 * A picture as a PNG file in base64.
 *
 * @param pixel the value at a row-major place, 0 … 1
 * @param shape [height, width, channels], one channel or three
 */
export function pngBase64(pixel: (place: number) => number, shape: readonly [number, number, number]): string {
  const data = Uint8Array.from({ length: sizeOf(shape) }, (_, i) =>
    Math.round(255 * Math.min(1, Math.max(0, pixel(i)))),
  );
  return Buffer.from(encodePng(data, shape)).toString('base64');
}

/** What any PNG file begins with, in base64. */
const SIGNATURE = 'iVBORw0KGgo';

/** True if a text is a PNG file in base64, as far as its beginning and its characters say. */
export const isPngBase64 = (text: string): boolean =>
  text.startsWith(SIGNATURE) && text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text);
