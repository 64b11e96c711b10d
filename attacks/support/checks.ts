import { InputError } from '../../src/core/errors.ts';
import type { Bounds, NormName } from '../types.ts';

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
  // A step that float32 cannot hold would be infinite.
  if (!(Number.isFinite(Math.fround(value)) && (value > 0 || (zeroToo && value === 0)))) {
    throw new InputError(`${name} is a number ${zeroToo ? 'of 0 or more' : 'above 0'}; ${value} came.`);
  }
}
