// The one table of attacks. A row has everything that is known about an attack without running it: names on the command
// line, refusals, labels of results, laws and the tables of the docs follow from it.
import { APGD_OPTIONS, APGD_T_OPTIONS, apgd, apgdT } from './apgd.ts';
import { AUTOATTACK_OPTIONS, autoattack } from './autoattack.ts';
import { BIM_OPTIONS, bim } from './bim.ts';
import { CW_OPTIONS, cw } from './cw.ts';
import { DEEPFOOL_OPTIONS, deepFool } from './deepfool.ts';
import { FAB_T_OPTIONS, fabT } from './fab.ts';
import { FGSM_OPTIONS, fgsm } from './fgsm.ts';
import { MI_FGSM_OPTIONS, miFgsm } from './mi-fgsm.ts';
import { PGD_OPTIONS, pgd } from './pgd.ts';
import { SQUARE_OPTIONS, square } from './square.ts';
import type { NormOption } from './support/option-kinds.ts';
import type { OptionTable } from './support/options.ts';
import type { Attack, NormName } from './types.ts';

/** What every attack's options include. */
export interface CommonOptions {
  readonly norm?: NormName;
  readonly epsilon: number;
}

/** What is known about an attack. */
export interface AttackRow {
  readonly build: (options: CommonOptions) => Attack;
  readonly options: OptionTable & { readonly norm: NormOption<NormName> };
  /** True if it differentiates the model. */
  readonly needsGradients: boolean;
  /**
   * The number that a name such as `pgd-20` sets, and what evaluations take if the name has none. Null for an attack that
   * has no number.
   */
  readonly number: { readonly option: 'steps' | 'queries'; readonly usual: number } | null;
}

const steps = (usual: number) => ({ option: 'steps', usual }) as const;

/** The attacks by name. */
export const attackRows = {
  fgsm: { build: fgsm, options: FGSM_OPTIONS, needsGradients: true, number: null },
  bim: { build: bim, options: BIM_OPTIONS, needsGradients: true, number: steps(20) },
  pgd: { build: pgd, options: PGD_OPTIONS, needsGradients: true, number: steps(20) },
  'mi-fgsm': { build: miFgsm, options: MI_FGSM_OPTIONS, needsGradients: true, number: steps(20) },
  apgd: { build: apgd, options: APGD_OPTIONS, needsGradients: true, number: steps(100) },
  'apgd-t': { build: apgdT, options: APGD_T_OPTIONS, needsGradients: true, number: steps(100) },
  'fab-t': { build: fabT, options: FAB_T_OPTIONS, needsGradients: true, number: steps(100) },
  square: { build: square, options: SQUARE_OPTIONS, needsGradients: false, number: { option: 'queries', usual: 5000 } },
  autoattack: { build: autoattack, options: AUTOATTACK_OPTIONS, needsGradients: true, number: null },
  deepfool: { build: deepFool, options: DEEPFOOL_OPTIONS, needsGradients: true, number: steps(50) },
  cw: { build: cw, options: CW_OPTIONS, needsGradients: true, number: steps(1000) },
} as const satisfies Readonly<Record<string, AttackRow>>;

/** Name of an attack in the table. */
export type AttackName = keyof typeof attackRows;

/** The names of all attacks. */
export const attackNames = Object.keys(attackRows) as AttackName[];

type Rows = typeof attackRows;

/** A record with one field of every row. */
const column = <Field extends keyof AttackRow>(field: Field) =>
  Object.fromEntries(attackNames.map((name) => [name, attackRows[name][field]]));

/** The attacks by name, each made by its own options; every one obeys the laws of test/attacks/laws.test.ts. */
export const attacks = column('build') as { readonly [Name in AttackName]: Rows[Name]['build'] };

/** The options of the attack of a name. */
export type AttackOptions<Name extends AttackName> = Parameters<Rows[Name]['build']>[0];

/** The norms that each attack knows. */
export const attackNorms = Object.fromEntries(
  attackNames.map((name) => [name, attackRows[name].options.norm.known]),
) as { readonly [Name in AttackName]: readonly NormName[] };
