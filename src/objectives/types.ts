// What an objective is: the loss that training minimises, and the examples that it needs.
import type { Scalar, Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import type { Classifier } from '../../attacks/types.ts';

/** One training batch. */
export interface ObjectiveBatch {
  /** [batch, height, width, channels], pixels in [0, 1], augmented */
  readonly images: Tensor4D;
  /** Their adversarial examples; the images themselves under an objective that attacks nothing. */
  readonly adversarial: Tensor4D;
  /** int32 [batch] */
  readonly labels: Tensor1D;
}

/** The adversarial examples that an objective wants; their norm, ε and steps are the user's. */
export interface InnerAttack {
  /** What the attack increases: the cross-entropy of the label, or the KL divergence from the clean prediction. */
  readonly loss: 'ce' | 'kl';
  /** Starts from x + startNoise · N(0, 1); null for the attack's own start. */
  readonly startNoise: number | null;
  /** The share of the batch, from its first image on, whose examples are read; images beyond need no attack. */
  readonly share: number;
}

/** What training minimises: the mean over a batch, differentiable in whatever `forward` closes over. */
export interface Objective {
  readonly name: string;
  /** True if it trains on adversarial examples. */
  readonly adversarial: boolean;
  /** How these are made; null for an objective that trains on none. */
  readonly inner: InnerAttack | null;
  /** The weight β of its robust term; null for one that has none. */
  readonly beta: number | null;
  /** The share of each batch that is extra images with pseudo-labels, the last of the batch; 0: none. */
  readonly extraShare: number;
  /** γ of the weight perturbation under which gradients are taken (`perturbWeights`); none if left out. */
  readonly weightPerturbation?: number;
  /**
   * @param forward run once, or on the clean and then on the adversarial images; borrowed tensors
   * @returns a scalar owned by the caller
   */
  loss(forward: Classifier, batch: ObjectiveBatch): Scalar;
}
