// Activations that a network may have instead of ReLU, as PyTorch defines them. All are made of ops with gradients.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';

export const activations = {
  relu: (x) => tf.relu(x),
  /** Slope 0.01 below 0, as PyTorch's default. */
  'leaky-relu': (x) => tf.leakyRelu(x, 0.01),
  'leaky-relu-0.1': (x) => tf.leakyRelu(x, 0.1),
  elu: (x) => tf.elu(x),
  /** x · sigmoid(x), also called swish. */
  silu: (x) => tf.mul(x, tf.sigmoid(x)),
  /** x · Φ(x) with the normal distribution's Φ. */
  gelu: (x) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
  softplus: (x) => tf.softplus(x),
  tanh: (x) => tf.tanh(x),
} as const satisfies Readonly<Record<string, (x: Tensor) => Tensor>>;

export type ActivationName = keyof typeof activations;

export const ACTIVATIONS = Object.keys(activations) as ActivationName[];
