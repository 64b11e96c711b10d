// How much of the correction a step takes: the estimate ĉ, its bounds and blending, and the rule of each optimizer.
import { InputError } from '../core/errors.ts';

/** The defaults of AGENT's authors. */
export const AGENT_DEFAULTS = { gamma: 0.1, alpha: 0.3, initial: 0.1 } as const;

/** ĉ, or why the losses give none. */
export type Estimate = { readonly value: number } | { readonly value: null; readonly reason: string };

/**
 * AGENT's coefficient: ĉ = Cov(lossNow, lossSnapshot) / Var(lossSnapshot) over the batches of a pre-pass, both with
 * n − 1 and in double precision (Lei et al. 2023, https://arxiv.org/abs/2301.03573).
 *
 * @param lossesNow L(θ; b) for each batch b, with the weights about to be trained
 * @param lossesSnapshot L(θ̃; b) for the same batches, with the previous snapshot
 * @returns no value for a single batch, losses without variance, or losses that are not finite
 * @throws InputError if there are not as many losses of one as of the other
 */
export function estimateCoefficient(lossesNow: readonly number[], lossesSnapshot: readonly number[]): Estimate {
  const n = lossesNow.length;
  if (lossesSnapshot.length !== n) {
    throw new InputError(
      `Expected two losses of each batch, got ${n} of the weights and ${lossesSnapshot.length} of the snapshot. Compute both on the same batches.`,
    );
  }
  if (n < 2) return { value: null, reason: `the coefficient needs the losses of at least 2 batches, there is ${n}` };
  if (![...lossesNow, ...lossesSnapshot].every(Number.isFinite)) {
    return { value: null, reason: 'the losses of the pre-pass are not finite' };
  }
  if (lossesSnapshot.every((loss) => loss === lossesSnapshot[0])) {
    return { value: null, reason: 'the losses of the snapshot are the same on every batch' };
  }
  const mean = (xs: readonly number[]) => xs.reduce((sum, x) => sum + x, 0) / n;
  const meanNow = mean(lossesNow);
  const meanSnapshot = mean(lossesSnapshot);
  let covariance = 0;
  let variance = 0;
  for (let b = 0; b < n; b++) {
    covariance += ((lossesNow[b] - meanNow) * (lossesSnapshot[b] - meanSnapshot)) / (n - 1);
    variance += (lossesSnapshot[b] - meanSnapshot) ** 2 / (n - 1);
  }
  const value = covariance / variance;
  if (!Number.isFinite(value)) {
    return { value: null, reason: 'the losses of the snapshot differ too little between batches to divide by' };
  }
  return { value };
}

/** The lowest and the highest ĉ that c may follow. */
export type Bounds = readonly [low: number, high: number];

/**
 * The estimate moved into its bounds. The published method has none: leave them out.
 *
 * @throws InputError unless the lower bound is at most the upper one
 */
export function boundEstimate(estimate: Estimate, bounds?: Bounds): Estimate {
  if (bounds === undefined) return estimate;
  const [low, high] = bounds;
  if (!(low <= high)) throw new InputError(`bounds: expected [lowest ĉ, highest ĉ], got [${low}, ${high}].`);
  return estimate.value === null ? estimate : { value: Math.min(high, Math.max(low, estimate.value)) };
}

/** c ← (1 − α)·c + α·ĉ; an estimate without a value leaves c as it is. */
export const blendCoefficient = (c: number, estimate: Estimate, alpha: number): number =>
  estimate.value === null ? c : (1 - alpha) * c + alpha * estimate.value;

/**
 * c of an epoch, from 0, as the published A-BSR-Net has it: its snapshot is copied just before both losses are taken, so
 * ĉ = 1 whatever they are, and c = 1 − (1 − α)^epoch.
 */
export const publishedBsrCoefficient = (epoch: number, alpha: number): number => 1 - (1 - alpha) ** epoch;

export interface CoefficientInputs {
  /** AGENT's blended coefficient of this epoch. */
  readonly c: number;
  readonly gamma: number;
  /** The share of the training that is done, in [0, 1]. */
  readonly progress: number;
}

/** What multiplies u − g̃ in a step. */
export interface CoefficientRule {
  /** True if steps are corrected at all, and so snapshots taken. */
  readonly corrects: boolean;
  /** True if the rule reads c, and so the losses of the pre-pass are needed. */
  readonly adaptive: boolean;
  coefficient(inputs: CoefficientInputs): number;
}

/** The names of the optimizers. */
export type OptimizerName = 'sgd' | 'agent' | 'svrg' | 'alpha-svrg';

/** How each optimizer weighs the correction of AGENT and SVRG. */
export const coefficientRules: { readonly [Name in OptimizerName]: CoefficientRule } = {
  sgd: { corrects: false, adaptive: false, coefficient: () => 0 },
  /** γ·c */
  agent: { corrects: true, adaptive: true, coefficient: ({ c, gamma }) => gamma * c },
  /** 1 (Johnson & Zhang 2013, https://papers.nips.cc/paper/4937). */
  svrg: { corrects: true, adaptive: false, coefficient: () => 1 },
  /** 0.75, falling linearly to 0 (Yin et al. 2025, https://arxiv.org/abs/2311.05589). */
  'alpha-svrg': {
    corrects: true,
    adaptive: false,
    coefficient: ({ progress }) => 0.75 * (1 - Math.min(1, Math.max(0, progress))),
  },
};
