// What a robust accuracy is about: norms and radii.
import type { NormName } from '../../attacks/types.ts';

/** A norm, and a radius in it in pixel units of [0, 1]. */
export interface Threat {
  readonly norm: NormName;
  readonly epsilon: number;
}

/** What a model was trained against. */
export interface TrainedAgainst extends Threat {
  /** Radii of several norms, of which the other fields are the first. */
  readonly norms?: Readonly<Partial<Record<NormName, number>>>;
}

/** Radii in one norm. */
export const inNorm = (norm: NormName, epsilons: readonly number[]): readonly Threat[] =>
  epsilons.map((epsilon) => ({ norm, epsilon }));

/** True if some threats are in more than one norm. */
export const isAcrossNorms = (threats: readonly Threat[]): boolean => new Set(threats.map(({ norm }) => norm)).size > 1;

/** A norm and a radius as they are recorded; one of them may be missing. */
type RecordedThreat = { readonly norm?: string; readonly epsilon?: number };

/** True if two threats are the same. */
export const isSameThreat = (a: RecordedThreat, b: RecordedThreat): boolean =>
  a.norm === b.norm && a.epsilon === b.epsilon;

/** True if an evaluation counts the images that survive exactly these norms and radii together. */
export const countsAcross = (
  { acrossNorms = [] }: { readonly acrossNorms?: readonly { readonly threats: readonly Threat[] }[] },
  threats: readonly Threat[],
): boolean => acrossNorms.some((across) => JSON.stringify(across.threats) === JSON.stringify(threats));
