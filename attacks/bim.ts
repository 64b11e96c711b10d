import { type PgdOptions, pgd, STEP_OPTIONS } from './pgd.ts';
import { checkOptions } from './support/options.ts';
import type { Attack } from './types.ts';

/** Options of BIM: those of PGD without its random start. */
export type BimOptions = Omit<PgdOptions, 'randomStart' | 'restarts'>;

/** The basic iterative method (Kurakin et al. 2017, arXiv:1607.02533): `pgd` that starts at the image. */
export function bim(options: BimOptions): Attack {
  checkOptions('bim', options, STEP_OPTIONS);
  const { name = 'bim' } = options;
  return pgd({ ...options, name, randomStart: false });
}
