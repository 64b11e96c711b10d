import { type PgdOptions, pgd } from './pgd.ts';
import type { Attack } from './types.ts';

export type MiFgsmOptions = Omit<PgdOptions, 'randomStart' | 'restarts'>;

/**
 * The momentum iterative method (Dong et al. 2018, arXiv:1710.06081): `bim` along the accumulated gradient, v ← momentum ·
 * v + g / mean |g|. `momentum` is 1 by default.
 */
export const miFgsm = ({ name = 'mi-fgsm', momentum = 1, ...options }: MiFgsmOptions): Attack =>
  pgd({ ...options, name, momentum, randomStart: false });
