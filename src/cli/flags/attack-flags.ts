// The flags that choose attacks and radii.
import { attackNames } from '../../../attacks/attacks.ts';
import { UsageError } from '../../core/errors.ts';
import { type AttackSpec, attackLabel, parseAttacks } from '../../evaluation/attacks/named-attacks.ts';
import { PROTOCOLS, protocol } from '../../evaluation/attacks/protocols.ts';
import type { Flags, FlagValues } from './flags.ts';

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
} as const satisfies Flags;

/**
 * The attacks that the flags choose; undefined if they say nothing.
 *
 * @param open what a name leaves open
 * @throws UsageError if both flags are given, or a name is wrong
 */
export function attacksOf(
  { attacks, protocol: name }: FlagValues<typeof ATTACK_FLAGS>,
  open: Parameters<typeof parseAttacks>[1] = {},
): readonly AttackSpec[] | undefined {
  if (attacks !== undefined && name !== undefined) {
    throw new UsageError('--attacks and --protocol both say which attacks to run. Give one of them.');
  }
  if (attacks !== undefined) return parseAttacks(attacks, open);
  return name === undefined ? undefined : protocol(name);
}

/** @throws UsageError for a radius below 0 */
export function checkRadii(flag: string, epsilons: readonly number[] | undefined): void {
  for (const epsilon of epsilons ?? []) {
    if (epsilon < 0) throw new UsageError(`--${flag} must be 0 or larger, such as 0,8/255, got ${epsilon}.`);
  }
}
