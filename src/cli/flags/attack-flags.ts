// The flags that choose attacks and radii.
import { attackNames } from '../../../attacks/attacks.ts';
import { UsageError } from '../../core/errors.ts';
import { type AttackSpec, attackLabel, parseAttacks, withEot } from '../../evaluation/attacks/named-attacks.ts';
import { PROTOCOLS, protocol } from '../../evaluation/attacks/protocols.ts';
import { checkEpsilon } from '../../evaluation/epsilon.ts';
import type { Flags, FlagValues } from './flags.ts';
import { readNorm } from './setting-flags.ts';

/** Names of attacks that completion lists. */
export const ATTACK_NAMES: readonly string[] = parseAttacks(attackNames.join()).map(attackLabel);

/** Flags that choose the attacks of an evaluation. */
export const ATTACK_FLAGS = {
  attacks: {
    kind: 'text',
    value: 'NAME',
    isList: true,
    suggestions: ATTACK_NAMES,
    description: 'attacks by name: fgsm, pgd-20x5-cw, apgd-100, square-5000, …, separated by commas',
  },
  protocol: {
    kind: 'text',
    choices: Object.keys(PROTOCOLS),
    description: 'a set of attacks: quick (default), bsr or autoattack',
  },
  eot: {
    kind: 'number',
    integer: true,
    group: 'Attack',
    description:
      'calls of the model that are averaged for each answer to an attack, such as 20; for models with random outputs',
  },
} as const satisfies Flags;

/**
 * The attacks that the flags choose; undefined if they say nothing.
 *
 * @param open what a name leaves open
 * @throws UsageError if both flags are given, or a name or a number is wrong
 */
export function attacksOf(
  { attacks, protocol: name, eot }: FlagValues<typeof ATTACK_FLAGS>,
  open: Parameters<typeof parseAttacks>[1] = {},
): readonly AttackSpec[] | undefined {
  if (attacks !== undefined && name !== undefined) {
    throw new UsageError('--attacks and --protocol both say which attacks to run. Give one of them.');
  }
  checkEot(eot);
  if (attacks !== undefined) return parseAttacks(attacks, { ...open, eot });
  if (name === undefined && eot === undefined) return undefined;
  const specs = protocol(name ?? 'quick');
  return eot === undefined ? specs : specs.map((spec) => withEot(spec, eot));
}

/** @throws UsageError unless it is a number of calls */
export function checkEot(eot: number | undefined): void {
  if (eot === undefined || (Number.isSafeInteger(eot) && eot >= 1)) return;
  throw new UsageError(`--eot: expected a whole number of at least 1, such as 20, got ${eot}.`);
}

/** @throws UsageError for a radius below 0 */
export function checkRadii(flag: string, epsilons: readonly number[] | undefined): void {
  for (const epsilon of epsilons ?? []) {
    if (epsilon < 0) throw new UsageError(`--${flag} must be 0 or larger, such as 0,8/255, got ${epsilon}.`);
  }
}

/**
 * Checks the value of a flag that says norms and radii.
 *
 * @param others the values of flags that it excludes, by name
 * @throws UsageError for one of these beside it, a name that is no norm, and a radius out of range
 */
export function checkNorms(
  flag: string,
  norms: Readonly<Record<string, number>> | undefined,
  others: Readonly<Record<string, unknown>>,
): void {
  if (norms === undefined) return;
  const other = Object.keys(others).find((name) => others[name] !== undefined);
  if (other !== undefined) {
    throw new UsageError(
      `--${flag} says norms and radii, so --${other} must be left out. To give radii in one norm, leave --${flag} out.`,
    );
  }
  for (const [norm, epsilon] of Object.entries(norms)) checkEpsilon(readNorm(norm, flag), epsilon);
}

/**
 * The attack of a flag that takes one.
 *
 * @throws UsageError for several, and for a name that is wrong
 */
export function oneAttack(text: string): AttackSpec {
  const [spec, ...more] = parseAttacks(text);
  if (more.length > 0) throw new UsageError(`--attack: expected one attack, such as pgd-20x2, got ${text}.`);
  return spec;
}
