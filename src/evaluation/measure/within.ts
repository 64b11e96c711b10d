// Whether an adversarial image is where it may be.
import { norms } from '../../../attacks/index.ts';
import type { NormName } from '../../../attacks/types.ts';

/**
 * True if an image lies within epsilon of another and its pixels within [0, 1], beyond the rounding of float32. A pixel that is
 * not a number does not.
 */
export const isWithin = (attacked: Float32Array, clean: Float32Array, norm: NormName, epsilon: number): boolean =>
  norms[norm].distance(clean, attacked) <= epsilon * (1 + 1e-4) + 1e-6 &&
  attacked.every((pixel) => pixel >= -1e-6 && pixel <= 1 + 1e-6);
