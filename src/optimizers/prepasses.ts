import { foldIn, type Key, sample } from '../core/key.ts';
import { blendCoefficient, type Estimate, publishedBsrCoefficient } from './coefficients.ts';

export interface CoefficientStep {
  /** That of the epoch before. */
  readonly c: number;
  readonly estimate: Estimate;
  readonly alpha: number;
  /** From 0. */
  readonly epoch: number;
}

/** What AGENT looks at before the updates of an epoch. */
export interface PrepassRule {
  /** The images as they are, or the epoch's own batches, augmented and attacked by the same keys. */
  readonly examples: 'clean' | 'epoch';
  /** Whether a share of the batches is enough. */
  readonly subsamples: boolean;
  /** Whether each batch's ∇L(θ̃) can serve as the g̃ of its step: the pre-pass has seen the very batch. */
  readonly keepsGradients: boolean;
  /** Whether c is estimated from losses, those of the snapshot before included. */
  readonly estimates: boolean;
  coefficient(step: CoefficientStep): number;
}

const blended = ({ c, estimate, alpha }: CoefficientStep): number => blendCoefficient(c, estimate, alpha);

export type PrepassName = 'published' | 'published-bsr' | 'matched' | 'subsampled';

export const prepasses: { readonly [Name in PrepassName]: PrepassRule } = {
  /** A-ITOP and A-RigL: clean images also where training attacks, so that u is not the mean of g̃. */
  published: {
    examples: 'clean',
    subsamples: false,
    keepsGradients: false,
    estimates: true,
    coefficient: blended,
  },
  /** A-BSR-Net: the same images, and c = 1 − (1 − α)^epoch whatever the losses. */
  'published-bsr': {
    examples: 'clean',
    subsamples: false,
    keepsGradients: false,
    estimates: false,
    coefficient: ({ alpha, epoch }) => publishedBsrCoefficient(epoch, alpha),
  },
  /** The epoch's own examples: the corrections of an epoch sum to 0. */
  matched: {
    examples: 'epoch',
    subsamples: false,
    keepsGradients: true,
    estimates: true,
    coefficient: blended,
  },
  /** Some of the epoch's own examples; g̃ is computed at each step. */
  subsampled: {
    examples: 'epoch',
    subsamples: true,
    keepsGradients: false,
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
