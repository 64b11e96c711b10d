// Unions: an image counts as right only if it is right under every attack of its norm and radius.
import { accuracyOf } from '../intervals.ts';
import { isSameThreat, type Threat } from '../threat.ts';
import { type AcrossNorms, type AttackResult, UNION } from '../types.ts';
import { packBits, unpackBits } from './bits.ts';

/**
 * The worst of several attacks by image: an image counts as right where it survived every one of them.
 *
 * @param results of one norm, radius and set of images; at least one
 */
export function unionOf(results: readonly AttackResult[]): AttackResult {
  const [{ norm, epsilon, robust }] = results;
  return {
    attack: UNION,
    norm,
    epsilon,
    steps: null,
    stepSize: null,
    restarts: null,
    ...survivorsOf(results, robust.n),
    forwardPasses: results.reduce((total, result) => total + result.forwardPasses, 0),
    inputGradients: results.reduce((total, result) => total + result.inputGradients, 0),
  };
}

/** The images, of `n`, that survive every one of some results. */
export function survivorsOf(results: readonly Pick<AttackResult, 'survived'>[], n: number) {
  const bits = results.map(({ survived }) => unpackBits(survived, n));
  const survived = Uint8Array.from({ length: n }, (_, i) => (bits.every((attack) => attack[i]) ? 1 : 0));
  const correct = survived.reduce((total, value) => total + value, 0);
  return { robust: accuracyOf(correct, n), survived: packBits(survived) };
}

/** The unions in some norms at their radii, as far as they are among the results. */
export const unionsIn = <Result extends Pick<AttackResult, 'attack' | 'norm' | 'epsilon'>>(
  results: readonly Result[],
  threats: readonly Threat[],
): Result[] =>
  threats.flatMap((threat) => results.filter((result) => result.attack === UNION && isSameThreat(result, threat)));

/**
 * The worst of several norms by image: an image counts as right where it survived every attack in every norm.
 *
 * @param results of one set of images, the unions included
 * @param threats a radius for each norm; each has a union among the results
 */
export function acrossNorms(results: readonly AttackResult[], threats: readonly Threat[]): AcrossNorms {
  const unions = unionsIn(results, threats);
  return { threats, ...survivorsOf(unions, unions[0].robust.n) };
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
