// Unions: an image counts as right only if it is right under every attack of its norm and radius.
import { accuracyOf } from '../intervals.ts';
import { type AttackResult, UNION } from '../types.ts';
import { packBits, unpackBits } from './bits.ts';

/**
 * The worst of several attacks by image: an image counts as right where it survived every one of them.
 *
 * @param results of one norm, radius and set of images; at least one
 */
export function unionOf(results: readonly AttackResult[]): AttackResult {
  const [{ norm, epsilon, robust }] = results;
  const bits = results.map(({ survived }) => unpackBits(survived, robust.n));
  const survived = Uint8Array.from({ length: robust.n }, (_, i) => (bits.every((attack) => attack[i]) ? 1 : 0));
  return {
    attack: UNION,
    norm,
    epsilon,
    steps: null,
    stepSize: null,
    restarts: null,
    robust: accuracyOf(
      survived.reduce((total, value) => total + value, 0),
      robust.n,
    ),
    survived: packBits(survived),
    forwardPasses: results.reduce((total, result) => total + result.forwardPasses, 0),
    inputGradients: results.reduce((total, result) => total + result.inputGradients, 0),
  };
}

/** Results ordered by norm and radius, each group followed by its union. */
export function withUnions(results: readonly AttackResult[]): AttackResult[] {
  const groups = new Map<string, AttackResult[]>();
  const ordered = results.toSorted((a, b) => a.norm.localeCompare(b.norm) || a.epsilon - b.epsilon);
  for (const result of ordered) {
    const key = `${result.norm} ${result.epsilon}`;
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()].flatMap((group) => [...group, unionOf(group)]);
}
