// Checks of the numbers that options hold.
import { InputError } from '../../src/core/errors.ts';
import { norms } from '../norms/index.ts';
import type { Bounds, NormName } from '../types.ts';
import { describe } from './describe.ts';

/** The longest step of an attack, as a multiple of epsilon: the first of APGD, in the first of the balls of `multiEpsilon`. */
const LONGEST_STEP = 6;

/** True for a number that float32 holds; others become infinite there. */
const isFloat = (value: number): boolean => Number.isFinite(value) && Number.isFinite(Math.fround(value));

/** What a message says besides about numbers of which one is beyond float32. */
const sayBeyondFloat = (...values: readonly unknown[]): string =>
  values.some((value) => typeof value === 'number' && Number.isFinite(value) && !isFloat(value))
    ? ' Float32 holds numbers up to 3.4e38.'
    : '';

export function checkBounds(bounds: Bounds): void {
  const [low, high]: readonly number[] = Array.isArray(bounds) ? bounds : [Number.NaN, Number.NaN];
  if (!([low, high, high - low].every(isFloat) && low < high)) {
    throw new InputError(
      `bounds: expected [lowest pixel, highest pixel], such as [0, 1], got ${Array.isArray(bounds) ? `[${bounds.join(', ')}]` : describe(bounds)}.${sayBeyondFloat(low, high, high - low)}`,
    );
  }
}

export function checkEpsilon(epsilon: number, norm: NormName, bounds: Bounds): void {
  checkBounds(bounds);
  const [low, high] = bounds;
  if (!(isFloat(epsilon) && isFloat(LONGEST_STEP * epsilon) && epsilon >= 0)) {
    throw new InputError(
      `epsilon: expected a radius of 0 or more, in units of pixels in [${low}, ${high}], got ${describe(epsilon)}.${sayBeyondFloat(LONGEST_STEP * epsilon)}`,
    );
  }
  if (epsilon > norms[norm].largestRadius(high - low)) {
    const hint = high - low === 1 ? `${epsilon} / 255 (did you mean ${epsilon}/255?)` : `at most ${high - low}`;
    throw new InputError(
      `epsilon ${epsilon} in ${norm} is more than the whole range of pixels [${low}, ${high}]; use ${hint}.`,
    );
  }
}

export function checkShare(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new InputError(`${name}: expected a share, 0 … 1, got ${describe(value)}.`);
}

export function checkCount(name: string, value: number, least: number): void {
  if (!(Number.isSafeInteger(value) && value >= least)) {
    throw new InputError(`${name}: expected a whole number of at least ${least}, got ${describe(value)}.`);
  }
}

export function checkPositive(name: string, value: number, zeroToo: boolean): void {
  if (!(isFloat(value) && (value > 0 || (zeroToo && value === 0)))) {
    throw new InputError(
      `${name}: expected a number ${zeroToo ? 'of 0 or more' : 'above 0'}, got ${describe(value)}.${sayBeyondFloat(value)}`,
    );
  }
}
