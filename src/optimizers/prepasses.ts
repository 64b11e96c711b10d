// What AGENT looks at before the updates of an epoch, by the name of the pre-pass.
import { foldIn, type Key, sample } from '../core/key.ts';
import { blendCoefficient, type Estimate, publishedBsrCoefficient } from './coefficients.ts';

export interface CoefficientStep {
  /** The coefficient of the epoch before. */
  readonly c: number;
  readonly estimate: Estimate;
  readonly alpha: number;
  /** The epoch, counted from 0. */
  readonly epoch: number;
}

/** What AGENT looks at before the updates of an epoch. */
export interface PrepassRule {
  /** The images as they are; the epoch's own batches, augmented and attacked by the same keys; or none: there is no pass. */
  readonly examples: 'clean' | 'epoch' | 'none';
  /** True if a share of the batches is enough. */
  readonly subsamples: boolean;
  /**
   * The origin of a step's g̃: computed at the snapshot on the step's own batch; kept from the pre-pass, which has seen that very
   * batch; or remembered, the gradient that the batch gave one epoch ago.
   */
  readonly gradients: 'computed' | 'kept' | 'remembered';
  /** True if c is estimated. */
  readonly estimates: boolean;
  coefficient(step: CoefficientStep): number;
}

const blended = ({ c, estimate, alpha }: CoefficientStep): number => blendCoefficient(c, estimate, alpha);

/** The names of AGENT's pre-passes. */
export type PrepassName = 'published' | 'published-bsr' | 'matched' | 'subsampled' | 'memory';

/** AGENT's pre-passes by name. */
export const prepasses: { readonly [Name in PrepassName]: PrepassRule } = {
  /** A-ITOP and A-RigL: clean images also where training attacks, so that u is not the mean of g̃. */
  published: {
    examples: 'clean',
    subsamples: false,
    gradients: 'computed',
    estimates: true,
    coefficient: blended,
  },
  /** A-BSR-Net: the same images, and c = 1 − (1 − α)^epoch whatever the losses. */
  'published-bsr': {
    examples: 'clean',
    subsamples: false,
    gradients: 'computed',
    estimates: false,
    coefficient: ({ alpha, epoch }) => publishedBsrCoefficient(epoch, alpha),
  },
  /** The epoch's own examples: the corrections of an epoch sum to 0. */
  matched: {
    examples: 'epoch',
    subsamples: false,
    gradients: 'kept',
    estimates: true,
    coefficient: blended,
  },
  /** Some of the epoch's own examples; g̃ is computed at each step. */
  subsampled: {
    examples: 'epoch',
    subsamples: true,
    gradients: 'computed',
    estimates: true,
    coefficient: blended,
  },
  /** No pass and no snapshot: g̃ is what the batch gave one epoch ago, u the mean of these, as in SAGA. */
  memory: {
    examples: 'none',
    subsamples: false,
    gradients: 'remembered',
    estimates: true,
    coefficient: blended,
  },
};

/**
 * The batches of an epoch that a subsampled pre-pass sees: round(share · count) of them, drawn without replacement, at
 * least the two that an estimate of c needs.
 *
 * @param share in (0, 1]
 * @param key of the epoch
 * @returns ascending numbers below `count`
 */
export const subsampleBatches = (count: number, share: number, key: Key): Int32Array =>
  sample(foldIn(key, 'prepass'), Math.min(count, Math.max(2, Math.round(share * count))), count);
