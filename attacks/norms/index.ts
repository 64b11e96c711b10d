// The table of norms.
import type { NormName } from '../types.ts';
import { l1 } from './l1.ts';
import { l2 } from './l2.ts';
import { linf } from './linf.ts';
import type { Norm } from './norm.ts';

export type { Ball, Norm, Region } from './norm.ts';
export { l1, l2, linf };

/** The norms by name. */
export const norms = { linf, l2, l1 } as const satisfies { readonly [Name in NormName]: Norm };

/** The names of all norms. */
export const everyNorm = Object.keys(norms) as NormName[];
