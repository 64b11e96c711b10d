// The one robust accuracy of a network that lists, sweeps and comparisons name.
import { isSameThreat, type Threat } from './threat.ts';
import { type AcrossNorms, type AttackResult, type Evaluation, UNION } from './types.ts';

/**
 * The robust accuracy to quote: under all attacks in all norms together, if that was measured; else under the union of attacks
 * at the radius of training, else at the first radius above 0. What was measured again counts as last measured.
 *
 * @param evaluations of one checkpoint
 * @param trained what the network was trained against
 */
export function robustToQuote(
  evaluations: readonly Pick<Evaluation, 'attacks' | 'acrossNorms'>[],
  trained: Partial<Threat>,
): AcrossNorms | AttackResult | undefined {
  const across = evaluations.flatMap(({ acrossNorms = [] }) => acrossNorms);
  const unions = evaluations
    .flatMap(({ attacks }) => attacks)
    .filter(({ attack, epsilon }) => attack === UNION && epsilon > 0);
  const threat = unions.find((union) => isSameThreat(union, trained)) ?? unions[0];
  return across.at(-1) ?? unions.findLast((union) => isSameThreat(union, threat));
}
