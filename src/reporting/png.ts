import { encode } from 'fast-png';
import { sizeOf } from '../core/structure.ts';

/** Bytes [height, width, channels], row-major, as a PNG file; one channel or three. */
export const encodePng = (data: Uint8Array, [height, width, channels]: readonly [number, number, number]): Uint8Array =>
  encode({ width, height, data, channels, depth: 8 });

/**
 * A picture as a data URI.
 *
 * @param pixel the value at a row-major place, 0 … 1
 * @param shape [height, width, channels], one channel or three
 */
export function pngUri(pixel: (place: number) => number, shape: readonly [number, number, number]): string {
  const data = Uint8Array.from({ length: sizeOf(shape) }, (_, i) =>
    Math.round(255 * Math.min(1, Math.max(0, pixel(i)))),
  );
  return `data:image/png;base64,${Buffer.from(encodePng(data, shape)).toString('base64')}`;
}
