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

/** Of results at several radii the one to quote: at the radius that the network was trained against, else the first above 0. */
export const quoted = <Result extends Threat>(
  results: readonly Result[],
  { norm, epsilon }: Partial<Threat>,
): Result | undefined => {
  const attacked = results.filter((result) => result.epsilon > 0);
  return attacked.find((result) => result.norm === norm && result.epsilon === epsilon) ?? attacked[0];
};

/** True if an evaluation counts the images that survive exactly these norms and radii together. */
export const countsAcross = (
  { acrossNorms = [] }: { readonly acrossNorms?: readonly { readonly threats: readonly Threat[] }[] },
  threats: readonly Threat[],
): boolean => acrossNorms.some((across) => JSON.stringify(across.threats) === JSON.stringify(threats));
