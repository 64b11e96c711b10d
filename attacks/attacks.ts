import { apgd, apgdDlr, apgdT } from './apgd.ts';
import { autoattack } from './autoattack.ts';
import { bim } from './bim.ts';
import { cwL2 } from './cw.ts';
import { deepFool } from './deepfool.ts';
import { fabT } from './fab.ts';
import { fgsm } from './fgsm.ts';
import { miFgsm } from './mi-fgsm.ts';
import { searchNorms } from './norms/ball.ts';
import { norms } from './norms/index.ts';
import { pgd } from './pgd.ts';
import { square } from './square.ts';
import type { Attack, NormName } from './types.ts';

/** What every attack's options include. */
export interface CommonOptions {
  readonly norm?: NormName;
  readonly epsilon: number;
}

/** The attacks by name, each made by its own options; every one obeys the laws of test/attacks/laws.test.ts. */
export const attacks = {
  fgsm,
  bim,
  pgd,
  'mi-fgsm': miFgsm,
  'apgd-ce': apgd,
  'apgd-dlr': apgdDlr,
  'apgd-t': apgdT,
  'fab-t': fabT,
  square,
  autoattack,
  deepfool: deepFool,
  'cw-l2': cwL2,
} as const satisfies Readonly<Record<string, (options: CommonOptions) => Attack>>;

/** The names of the attacks. */
export type AttackName = keyof typeof attacks;

/** The options of the attack of a name. */
export type AttackOptions<Name extends AttackName> = Parameters<(typeof attacks)[Name]>[0];

const everyNorm = Object.keys(norms) as NormName[];

/** The norms that each attack knows. */
export const attackNorms = {
  fgsm: everyNorm,
  bim: everyNorm,
  pgd: everyNorm,
  'mi-fgsm': everyNorm,
  'apgd-ce': searchNorms,
  'apgd-dlr': searchNorms,
  'apgd-t': searchNorms,
  'fab-t': searchNorms,
  square: searchNorms,
  autoattack: searchNorms,
  deepfool: searchNorms,
  'cw-l2': ['l2'],
} as const satisfies { readonly [Name in AttackName]: readonly NormName[] };
