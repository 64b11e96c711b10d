// The losses that objectives are made of.
import type { Scalar, Tensor1D, Tensor2D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import '../ops/gradients.ts';

/** 1 at each label and 0 elsewhere: [batch, classes]. */
export const oneHot = (labels: Tensor1D, logits: Tensor2D): Tensor2D =>
  tf.oneHot(labels, logits.shape[1], 1, 0, 'float32') as Tensor2D;

/**
 * The mean over the batch of −Σ_k t_k log p_k, with t = (1 − s) · one-hot + s / classes for label smoothing s in [0, 1).
 *
 * @param logits [batch, classes]
 * @param labels int32 [batch]
 */
export const crossEntropy = (logits: Tensor2D, labels: Tensor1D, labelSmoothing = 0): Scalar =>
  tf.tidy(() => {
    const targets = tf.add(tf.mul(oneHot(labels, logits), 1 - labelSmoothing), labelSmoothing / logits.shape[1]);
    return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)));
  });

/** KL(p ‖ q) = Σ_k p_k (log p_k − log q_k) of each sample: [batch]. Differentiable in both. */
export const klDivergence = (logP: Tensor2D, logQ: Tensor2D): Tensor1D =>
  tf.tidy(() => tf.sum(tf.mul(tf.exp(logP), tf.sub(logP, logQ)), -1));
