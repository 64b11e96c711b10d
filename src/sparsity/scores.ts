// The tables of rules by which weights are dropped and grown.
import { type Key, sample } from '../core/key.ts';
import { indicesOfLargestKeys, magnitudeKeys } from './select.ts';

/** Which weights of a kernel stay: indices among its nonzeros, ascending, `keep` of them. */
export type DropRule = (values: Float32Array, keep: number, key: Key) => Int32Array;

/** What growth may look at. */
export interface GrowthSite {
  /** Number of all weights of the kernel. */
  readonly size: number;
  /** Positions of the weights that stay, ascending; every other position is free, those just dropped included. */
  readonly kept: Int32Array;
  /** The dense gradient of the step's own batch, [size]; empty if the rule does not need it. */
  readonly gradient: Float32Array;
  readonly key: Key;
}

/** Which free positions of a kernel become weights: `count` of them, ascending. */
export interface GrowRule {
  readonly needsGradient: boolean;
  choose(site: GrowthSite, count: number): Int32Array;
}

/** |x|; a plain loop, as `map` takes several times as long on the millions of weights of a kernel. */
export function magnitudes(xs: Float32Array): Float32Array {
  const out = new Float32Array(xs.length);
  for (let i = 0; i < xs.length; i++) out[i] = Math.abs(xs[i]);
  return out;
}

const dropRuleRows = {
  /** The smallest |w| go. */
  magnitude: (values, keep) => indicesOfLargestKeys(magnitudeKeys(values), keep),
  random: (values, keep, key) => sample(key, keep, values.length),
} satisfies Readonly<Record<string, DropRule>>;

/** The names of the rules by which weights are dropped. */
export type DropRuleName = keyof typeof dropRuleRows;

/** The rules by which weights are dropped. */
export const dropRules: { readonly [Name in DropRuleName]: DropRule } = dropRuleRows;

const growRuleRows = {
  /** The free positions with the largest |∂L/∂w| (RigL). */
  gradientMagnitude: {
    needsGradient: true,
    choose: ({ kept, gradient }, count) => {
      const keys = magnitudeKeys(gradient);
      for (let i = 0; i < kept.length; i++) keys[kept[i]] = 0;
      return indicesOfLargestKeys(keys, count);
    },
  },
  /** Free positions drawn uniformly (SET). */
  random: {
    needsGradient: false,
    choose: ({ size, kept, key }, count) => freePositions(sample(key, count, size - kept.length), kept),
  },
} satisfies Readonly<Record<string, GrowRule>>;

/** The names of the rules by which weights are grown. */
export type GrowRuleName = keyof typeof growRuleRows;

/** The rules by which weights are grown. */
export const growRules: { readonly [Name in GrowRuleName]: GrowRule } = growRuleRows;

/** The positions of the free places with these ranks, both ascending: rank r is the r-th position that is not kept. */
export function freePositions(ranks: Int32Array, kept: Int32Array): Int32Array {
  const places = new Int32Array(ranks.length);
  let before = 0;
  for (let i = 0; i < ranks.length; i++) {
    while (before < kept.length && kept[before] <= ranks[i] + before) before++;
    places[i] = ranks[i] + before;
  }
  return places;
}
