// Radii of perturbations: how they are compared, checked and written.
import { norms } from '../../attacks/norms/index.ts';
import type { NormName } from '../../attacks/types.ts';
import { UsageError } from '../core/errors.ts';

/** Equal but for the rounding of single precision. */
const near = (value: number, round: number): boolean => Math.abs(value - round) <= 1e-7 * Math.abs(round);

/**
 * ε or a step size as people write it: a short decimal where it is one (`0.1`), a number of 255ths where it is one
 * (`8/255`, `0.5/255`), else four significant digits.
 */
export function formatEpsilon(epsilon: number): string {
  const decimal = Number(epsilon.toPrecision(3));
  if (near(epsilon, decimal)) return String(decimal);
  const levels = epsilon * 255;
  for (const parts of [1, 2, 4, 10]) {
    if (near(levels * parts, Math.round(levels * parts))) return `${Math.round(levels * parts) / parts}/255`;
  }
  return String(Number(epsilon.toPrecision(4)));
}

/** @throws UsageError for a radius that is none, or that is meant in grey levels */
export function checkEpsilon(norm: NormName, epsilon: number): void {
  if (!(epsilon >= 0 && Number.isFinite(epsilon))) {
    throw new UsageError(`epsilon: expected 0 or more, got ${epsilon}.`);
  }
  if (epsilon > norms[norm].largestRadius(1)) {
    throw new UsageError(
      `epsilon: expected at most 1 in ${norm}, in pixel units of [0, 1], got ${epsilon}. Did you mean ${formatEpsilon(epsilon)}/255?`,
    );
  }
}
