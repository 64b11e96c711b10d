// Einstein sums of one or two tensors. `tf.einsum` is wrong for axes that only one operand has and the result lacks.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';
import { transposed } from './transposed.ts';

/**
 * A sum of products over named axes, such as `bhid,bhjd->bhij`: axes in both operands and the result are a stack, those that
 * the result lacks are summed over.
 */
export function einsum(equation: string, operands: readonly Tensor[]): Tensor {
  const [left, right] = equation.replaceAll(' ', '').split('->');
  const names = left.split(',');
  if (/[^a-zA-Z,]/.test(left) || names.length !== operands.length || names.length > 2) {
    throw new InputError(`expected an equation of one or two operands of letters, got ${equation}`);
  }
  names.forEach((name, i) => {
    if (new Set(name).size !== name.length || name.length !== operands[i].rank) {
      throw new InputError(
        `expected a letter for each axis, each once, got ${name} for [${operands[i].shape.join(', ')}]`,
      );
    }
  });
  const once = [...left.replaceAll(',', '')].filter(
    (letter, _, all) => all.filter((one) => one === letter).length === 1,
  );
  const result = [...(right ?? once.sort().join(''))];
  // Axes that only one operand has, and the result lacks, are summed first.
  const summed = operands.map((x, i) => {
    const others = names.filter((_, other) => other !== i).join('');
    const gone = [...names[i]].flatMap((letter, axis) =>
      others.includes(letter) || result.includes(letter) ? [] : [axis],
    );
    const letters = [...names[i]].filter((_, axis) => !gone.includes(axis));
    return { x: gone.length === 0 ? x : tf.sum(x, gone), letters };
  });
  const [a, b] = summed;
  if (b === undefined)
    return transposed(
      a.x,
      result.map((letter) => a.letters.indexOf(letter)),
    );
  const stack = a.letters.filter((letter) => b.letters.includes(letter) && result.includes(letter));
  const inner = a.letters.filter((letter) => b.letters.includes(letter) && !result.includes(letter));
  const rows = a.letters.filter((letter) => !b.letters.includes(letter));
  const columns = b.letters.filter((letter) => !a.letters.includes(letter));
  const extent = (letter: string): number =>
    a.letters.includes(letter) ? a.x.shape[a.letters.indexOf(letter)] : b.x.shape[b.letters.indexOf(letter)];
  const sizes = (letters: readonly string[]): number => sizeOf(letters.map(extent));
  const arranged = ({ x, letters }: typeof a, ...parts: (readonly string[])[]): Tensor => {
    const turned = transposed(
      x,
      parts.flat().map((letter) => letters.indexOf(letter)),
    );
    return tf.reshape(turned, parts.map(sizes));
  };
  const y = tf.matMul(arranged(a, stack, rows, inner), arranged(b, stack, inner, columns));
  const order = [...stack, ...rows, ...columns];
  return transposed(
    tf.reshape(y, order.map(extent)),
    result.map((letter) => order.indexOf(letter)),
  );
}
