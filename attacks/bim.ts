// The basic iterative method.
import { pgd, STEP_OPTIONS } from './pgd.ts';
import { title } from './support/option-kinds.ts';
import { type OptionsOf, type OptionTable, readOptions } from './support/options.ts';
import type { Attack } from './types.ts';

export const BIM_OPTIONS = {
  ...STEP_OPTIONS,
  /** What the attack is called in results; default `bim`. */
  name: title('bim'),
} as const satisfies OptionTable;

/** Options of `bim`. */
export type BimOptions = OptionsOf<typeof BIM_OPTIONS>;

/** The basic iterative method (Kurakin et al. 2017, arXiv:1607.02533): `pgd` that starts at the image. */
export function bim(options: BimOptions): Attack {
  return pgd({ ...readOptions('bim', options, BIM_OPTIONS), randomStart: false });
}
