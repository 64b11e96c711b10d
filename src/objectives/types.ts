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

/** What training minimises: the mean over a batch, differentiable in whatever `forward` closes over. */
export interface Objective {
  readonly name: string;
  /** Whether it trains on adversarial examples. */
  readonly adversarial: boolean;
  loss(forward: Classifier, batch: ObjectiveBatch): Scalar;
}
