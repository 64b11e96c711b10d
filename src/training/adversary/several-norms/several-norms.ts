// The table of ways to train against several norms: a file for each, a row for each.
import { average } from './average.ts';
import { maximum } from './maximum.ts';
import { msd } from './msd.ts';
import { random } from './random.ts';
import type { Combination } from './types.ts';

export type CombinationName = 'maximum' | 'average' | 'random' | 'msd';

/** The ways to train against several norms, by the name of the setting `combineNorms`. */
export const combinations: { readonly [Name in CombinationName]: Combination } = { maximum, average, random, msd };
