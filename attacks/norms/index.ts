import { InputError } from '../../src/core/errors.ts';
import { meant } from '../support/other-names.ts';
import type { NormName } from '../types.ts';
import { l1 } from './l1.ts';
import { l2 } from './l2.ts';
import { linf } from './linf.ts';
import type { Norm } from './norm.ts';

export type { Norm } from './norm.ts';
export { l1, l2, linf };

/** The norms by name. */
export const norms: { readonly [Name in NormName]: Norm } = { linf, l2, l1 };

/** The norm of a name. */
export function normOf(name: NormName): Norm {
  if (!Object.hasOwn(norms, name)) {
    throw new InputError(
      `norm is one of ${Object.keys(norms).join(', ')}; ${name} came.${meant(String(name), Object.keys(norms))}`,
    );
  }
  return norms[name];
}
