// Sets of attacks that people agree on; the figure to quote is that of their union.
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import type { KnownName } from '../../core/known-name.ts';
import type { AttackSpec } from './named-attacks.ts';

/** The protocols by name. */
export const PROTOCOLS = {
  /** PGD-20 on cross-entropy and, restarted, on the CW margin. */
  quick: [
    { kind: 'pgd', steps: 20, restarts: 1, loss: 'ce' },
    { kind: 'pgd', steps: 20, restarts: 2, loss: 'cw' },
  ],
  /** The attack of the BSR-Net paper: PGD-50 with 10 restarts. */
  bsr: [{ kind: 'pgd', steps: 50, restarts: 10, loss: 'ce' }],
  /** The standard AutoAttack. */
  autoattack: [{ kind: 'autoattack', version: 'standard' }],
} as const satisfies Readonly<Record<string, readonly AttackSpec[]>>;

/** Name of a protocol. */
export type ProtocolName = keyof typeof PROTOCOLS;

/**
 * The attacks of a protocol.
 *
 * @throws UsageError for an unknown name
 */
export function protocol<Name extends string>(name: KnownName<Name, ProtocolName>): readonly AttackSpec[] {
  if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name as ProtocolName];
  const names = Object.keys(PROTOCOLS);
  throw new UsageError(
    `There is no protocol ${name}.${suggestion(didYouMean(name, names))} Protocols are ${names.join(', ')}.`,
  );
}
