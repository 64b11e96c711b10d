import { type PgdOptions, pgd, STEP_OPTIONS } from './pgd.ts';
import { checkOptions } from './support/options.ts';
import type { Attack } from './types.ts';

/** Options of MI-FGSM: those of PGD without its random start. */
export type MiFgsmOptions = Omit<PgdOptions, 'randomStart' | 'restarts'>;

/**
 * The momentum iterative method (Dong et al. 2018, arXiv:1710.06081): `bim` along the accumulated gradient, v ← momentum ·
 * v + g / mean |g|. `momentum` is 1 by default.
 */
export function miFgsm(options: MiFgsmOptions): Attack {
  checkOptions('miFgsm', options, STEP_OPTIONS);
  const { name = 'mi-fgsm', momentum = 1 } = options;
  return pgd({ ...options, name, momentum, randomStart: false });
}
