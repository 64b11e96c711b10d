import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import { InputError } from '../src/core/errors.ts';
import type { NormName } from './types.ts';

/** The lowest and the highest value of a pixel. */
export type Bounds = readonly [low: number, high: number];

/** How far beyond its bounds a pixel may lie, as a share of their range: rounding, not a missing division by 255. */
const TOLERANCE = 1e-6;

export function checkBounds([low, high]: Bounds): void {
  if (!(Number.isFinite(low) && Number.isFinite(high) && low < high)) {
    throw new InputError(`bounds are [lowest pixel, highest pixel], such as [0, 1]; [${low}, ${high}] came.`);
  }
}

export function checkEpsilon(epsilon: number, norm: NormName, [low, high]: Bounds): void {
  if (!(Number.isFinite(epsilon) && epsilon >= 0)) {
    throw new InputError(`epsilon is a radius of 0 or more, in units of pixels in [${low}, ${high}]; ${epsilon} came.`);
  }
  if (norm === 'linf' && epsilon > high - low) {
    const meant = high - low === 1 ? `${epsilon} / 255 (did you mean ${epsilon}/255?)` : `at most ${high - low}`;
    throw new InputError(
      `epsilon ${epsilon} in linf is more than the whole range of pixels [${low}, ${high}]; use ${meant}.`,
    );
  }
}

/** The limit of an attack that searches the smallest perturbation; null for none. */
export function checkCap(epsilon: number | null, norm: NormName, bounds: Bounds): void {
  if (epsilon !== null) checkEpsilon(epsilon, norm, bounds);
}

export function checkShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new InputError(`${name} is a share, 0 … 1; ${value} came.`);
}

export function checkCount(name: string, value: number, least: number): void {
  if (!(Number.isSafeInteger(value) && value >= least)) {
    throw new InputError(`${name} is a whole number of at least ${least}; ${value} came.`);
  }
}

export function checkPositive(name: string, value: number, zeroToo: boolean): void {
  if (!(Number.isFinite(value) && (value > 0 || (zeroToo && value === 0)))) {
    throw new InputError(`${name} is a number ${zeroToo ? 'of 0 or more' : 'above 0'}; ${value} came.`);
  }
}

export function checkImages(images: Tensor): asserts images is Tensor4D {
  if (images.rank !== 4) {
    throw new InputError(
      `images are [batch, height, width, channels]; [${images.shape}] came.${
        images.rank === 3 ? ' Make one image a batch with tf.expandDims(image, 0).' : ''
      }`,
    );
  }
  if (images.dtype !== 'float32') {
    throw new InputError(`images are float32 pixels; ${images.dtype} came. Cast and divide bytes by 255 first.`);
  }
}

/**
 * The pixels of a batch of images, each within the bounds; borrowed where the tensor's own data serve.
 *
 * Throws for NaN and for pixels beyond the bounds by more than float tolerance.
 */
export async function readPixels(images: Tensor4D, bounds: Bounds): Promise<Float32Array> {
  checkImages(images);
  const [low, high] = bounds;
  const pixels = (await images.data()) as Float32Array;
  const slack = TOLERANCE * (high - low);
  let outside = false;
  for (let i = 0; i < pixels.length; i++) {
    const pixel = pixels[i];
    if (!(pixel >= low && pixel <= high)) {
      outside = true;
      if (!(pixel >= low - slack && pixel <= high + slack)) throw outOfBounds(images, i, pixel, bounds);
    }
  }
  return outside ? pixels.map((pixel) => Math.min(Math.max(pixel, low), high)) : pixels;
}

function outOfBounds(images: Tensor4D, index: number, pixel: number, [low, high]: Bounds): InputError {
  const where = `image ${Math.floor((index * images.shape[0]) / images.size)} of the batch`;
  if (Number.isNaN(pixel)) return new InputError(`A pixel of ${where} is NaN; images are pixels in [${low}, ${high}].`);
  return new InputError(
    `Pixels lie in [${low}, ${high}]; one of ${where} is ${pixel}. Divide bytes by 255, leave normalisation to the ` +
      'model (see classifier), or set the option bounds.',
  );
}
