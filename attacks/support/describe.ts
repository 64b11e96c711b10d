// How messages describe a value that is not what was expected.
import * as tf from '@tensorflow/tfjs-core';

/** A value in a few words, such as `an array of 3`, `a tensor [2, 5]` or `"cat"`. */
export function describe(value: unknown): string {
  if (value instanceof tf.Tensor) return value.isDisposed ? 'a tensor that was disposed' : `a tensor [${value.shape}]`;
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `${named(value)} of ${(value as Uint8Array).length ?? value.byteLength}`;
  if (typeof value === 'function') return 'a function';
  return typeof value === 'object' && value !== null ? named(value) : String(value);
}

function named(value: object): string {
  const name = value.constructor?.name ?? 'Object';
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}
