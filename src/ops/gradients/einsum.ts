// The gradient of Einstein sums of one or two tensors.
import * as tf from '@tensorflow/tfjs-core';
import { einsum } from '../einsum.ts';
import { gradient } from './gradient.ts';

/**
 * The gradient of `ij,jk->ik` with respect to its first tensor is `ik,jk->ij` of dy and the second. A letter that only the
 * tensor itself has was summed there, so the gradient is the same along it.
 */
export const einsumGradient = gradient<{ readonly equation: string }>({
  kernelName: 'Einsum',
  saveAllInputs: true,
  reads: { 0: ['1'], 1: ['0'] },
  gradFunc: (dy, saved, { equation }) => {
    const [inputs, output] = equation.replace(/\s/g, '').split('->');
    const terms = inputs.split(',');
    const one = (i: number) => () => {
      const others = terms.flatMap((term, j) => (j === i ? [] : [{ term, tensor: saved[j] }]));
      const known = [output, ...others.map(({ term }) => term)];
      const letters = [...terms[i]];
      const isKnown = (letter: string) => known.some((term) => term.includes(letter));
      const result = letters.filter(isKnown).join('');
      const slope = einsum(`${known.join(',')}->${result}`, [dy, ...others.map(({ tensor }) => tensor)]);
      const { shape } = saved[i];
      const kept = tf.reshape(
        slope,
        shape.map((size, axis) => (isKnown(letters[axis]) ? size : 1)),
      );
      return tf.mul(kept, tf.fill(shape, 1));
    };
    return Object.fromEntries(terms.map((_, i) => [i, one(i)]));
  },
});
