import { encode } from 'fast-png';

/**
 * A picture as a data URI.
 *
 * @param pixel the value at a row-major place, 0 … 1
 * @param shape [height, width, channels], one channel or three
 */
export function pngUri(
  pixel: (place: number) => number,
  [height, width, channels]: readonly [number, number, number],
): string {
  const data = Uint8Array.from({ length: height * width * channels }, (_, i) =>
    Math.round(255 * Math.min(1, Math.max(0, pixel(i)))),
  );
  const png = encode({ width, height, data, channels, depth: 8 });
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
}
