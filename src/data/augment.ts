import { foldIn, integers, type Key } from '../core/key.ts';
import type { PixelShape } from './types.ts';

/** What is done to a training image: nothing, a shift by up to 4 pixels, or that and a horizontal flip. */
export type Augmentation = 'none' | 'shift' | 'shift-flip';

/** Images are shifted by up to so many pixels along each axis: zero padding, then a random crop. */
export const MAX_SHIFT = 4;

export interface Placement {
  /** The output pixel (y, x) is the input pixel (y + down, x + right), or 0 outside. */
  readonly down: number;
  readonly right: number;
  readonly flip: boolean;
}

/** How the image numbered `sample` is placed; `key` is the epoch's, so a replay of an epoch is exact. */
export function placement(augmentation: Augmentation, key: Key, sample: number): Placement {
  if (augmentation === 'none') return { down: 0, right: 0, flip: false };
  const [down, right] = integers(foldIn(foldIn(key, 'shift'), sample), 2, 2 * MAX_SHIFT + 1);
  const flip = augmentation === 'shift-flip' && integers(foldIn(foldIn(key, 'flip'), sample), 1, 2)[0] === 1;
  return { down: down - MAX_SHIFT, right: right - MAX_SHIFT, flip };
}

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
  for (let y = Math.max(0, -down); y < Math.min(height, height - down); y++) {
    for (let x = 0; x < width; x++) {
      const column = (flip ? width - 1 - x : x) + right;
      if (column < 0 || column >= width) continue;
      const input = from + ((y + down) * width + column) * channels;
      const output = to + (y * width + x) * channels;
      for (let channel = 0; channel < channels; channel++) target[output + channel] = source[input + channel] / 255;
    }
  }
}
