// Pictures as bytes, and what every decoder refuses.
import { InputError } from '../../core/errors.ts';
import { MAX_PICTURE_PIXELS } from '../files/limits.ts';

/** A decoded image of bytes. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  /** 1: grey, 3: red, green and blue. */
  readonly channels: 1 | 3;
  /** [height, width, channels], row-major */
  readonly pixels: Uint8Array;
}

/** Red, green and blue, 0 … 255. */
export type Colour = readonly [number, number, number];

/** @throws InputError for a picture without pixels, or of more than there is memory for */
export function checkPixels(name: string, width: number, height: number): void {
  if (width === 0 || height === 0) throw damaged(name, `${width}×${height} pixels`);
  if (width * height > MAX_PICTURE_PIXELS) {
    throw new InputError(
      `${name} has ${width}×${height} pixels; expected at most ${MAX_PICTURE_PIXELS}. Make it smaller, as \`magick mogrify -resize\` does.`,
    );
  }
}

export const damaged = (name: string, why: string): InputError =>
  new InputError(`${name} cannot be decoded (${why}): it is truncated or damaged.`);
