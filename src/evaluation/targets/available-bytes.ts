// How much memory tensors may still take: what the backend has left, and what the machine or its container has.
import { freemem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';

/** Bytes that tensors may still take on the current backend. */
export function availableBytes(): number {
  const { unusedBytes = Number.POSITIVE_INFINITY } = tf.backend() as { readonly unusedBytes?: number };
  // Of a container with a limit, Node knows what is left below it.
  return Math.min(unusedBytes, process.availableMemory?.() ?? freemem());
}
