import { type PgdOptions, pgd } from './pgd.ts';
import type { Attack } from './types.ts';

export type BimOptions = Omit<PgdOptions, 'randomStart' | 'restarts'>;

/** The basic iterative method (Kurakin et al. 2017, arXiv:1607.02533): `pgd` that starts at the image. */
export const bim = ({ name = 'bim', ...options }: BimOptions): Attack => pgd({ ...options, name, randomStart: false });
