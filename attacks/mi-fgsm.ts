// The momentum iterative method.
import { pgd, STEP_OPTIONS } from './pgd.ts';
import { notNegative, title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack } from './types.ts';

export const MI_FGSM_OPTIONS = {
  ...STEP_OPTIONS,
  /** What the attack is called in results; default `mi-fgsm`. */
  name: title('mi-fgsm'),
  /** How much of the accumulated gradient a step keeps; default 1. */
  momentum: notNegative(1),
} as const satisfies OptionTable;

/** Options of `miFgsm`. */
export type MiFgsmOptions = OptionsOf<typeof MI_FGSM_OPTIONS>;

/**
 * The momentum iterative method (Dong et al. 2018, arXiv:1710.06081): `bim` along the accumulated gradient, v ← momentum ·
 * v + g / mean |g|.
 */
export function miFgsm(options: MiFgsmOptions): Attack {
  return pgd({ ...readOptions('miFgsm', options, MI_FGSM_OPTIONS), randomStart: false });
}
