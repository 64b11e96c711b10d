// Random shifts and flips of training images.
import { foldIn, integers, type Key } from '../core/key.ts';
import type { Augmentation, PixelShape } from './types.ts';

/** The largest shift of an image along each axis, in pixels: zero padding, then a random crop. */
export const MAX_SHIFT = 4;

/** Where an augmented image takes its pixels from. */
export interface Placement {
  /** The output pixel (y, x) is the input pixel (y + down, x + right), or 0 outside. */
  readonly down: number;
  readonly right: number;
  readonly flip: boolean;
}

/**
 * How each image is placed, by its number; `key` is the epoch's, so a replay of an epoch is exact. What all images share is
 * computed once.
 */
export function placements(augmentation: Augmentation, key: Key): (sample: number) => Placement {
  if (augmentation === 'none') return () => ({ down: 0, right: 0, flip: false });
  const [shiftKey, flipKey] = [foldIn(key, 'shift'), foldIn(key, 'flip')];
  const flips = augmentation === 'shift-flip';
  return (sample) => {
    const [down, right] = integers(foldIn(shiftKey, sample), 2, 2 * MAX_SHIFT + 1);
    const flip = flips && integers(foldIn(flipKey, sample), 1, 2)[0] === 1;
    return { down: down - MAX_SHIFT, right: right - MAX_SHIFT, flip };
  };
}

/** The pixel in [0, 1] of each byte. */
const PIXELS = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/**
 * One image of bytes, placed, as pixels in [0, 1].
 *
 * @param source holds the image from index `from`, row-major
 * @param target receives it from index `to`; must be 0 there
 */
export function writeImage(
  source: Uint8Array,
  from: number,
  target: Float32Array,
  to: number,
  [height, width, channels]: PixelShape,
  { down, right, flip }: Placement,
): void {
  // The output columns that an input column falls on.
  const shift = flip ? -right : right;
  const first = Math.max(0, -shift);
  const end = Math.min(width, width - shift);
  const stride = flip ? -channels : channels;
  for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
    let input = from + ((y + down) * width + right + (flip ? width - 1 - first : first)) * channels;
    let output = to + (y * width + first) * channels;
    for (let x = first; x < end; x++) {
      for (let channel = 0; channel < channels; channel++) target[output + channel] = PIXELS[source[input + channel]];
      input += stride;
      output += channels;
    }
  }
}
