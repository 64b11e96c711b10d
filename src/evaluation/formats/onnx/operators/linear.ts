// Products of matrices: MatMul, Gemm, Einsum and attention.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { sizeOf } from '../../../../core/structure.ts';
import { einsum } from '../../../../ops/einsum.ts';
import { repeatedTo } from '../axes.ts';
import {
  expectAttribute,
  flagOf,
  givenInputs,
  input,
  numberOf,
  type Operator,
  optionalNumber,
  textOf,
} from '../call.ts';
import { broadcastShape } from '../memory.ts';
import { onBackend, tensorOf } from '../values.ts';

/** The product of stacks of matrices, whose leading axes broadcast. */
export function product(a: Tensor, b: Tensor): Tensor {
  if (a.rank === 1) {
    const y = product(tf.reshape(a, [1, -1]), b);
    return tf.squeeze(y, [y.rank === 1 ? 0 : y.rank - 2]);
  }
  if (b.rank === 1) return tf.squeeze(product(a, tf.reshape(b, [-1, 1])), [a.rank - 1]);
  const [rows, inner] = a.shape.slice(-2);
  const columns = b.shape[b.rank - 1];
  if (inner !== b.shape[b.rank - 2]) {
    throw new InputError(`expected matrices that fit, got [${a.shape.join(', ')}] times [${b.shape.join(', ')}]`);
  }
  // One matrix for all rows needs no copy for each.
  if (b.rank === 2) {
    const y = tf.matMul(tf.reshape(a, [-1, inner]) as tf.Tensor2D, b as tf.Tensor2D);
    return tf.reshape(y, [...a.shape.slice(0, -1), columns]);
  }
  const stack = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const whole = (x: Tensor): Tensor => {
    const shape = [...stack, ...x.shape.slice(-2)];
    const repeated = sizeOf(shape) === x.size ? x : repeatedTo(x, shape);
    return tf.reshape(repeated, [sizeOf(stack), ...x.shape.slice(-2)]);
  };
  return tf.reshape(tf.matMul(whole(a), whole(b)), [...stack, rows, columns]);
}

const matMul: Operator = (call) => onBackend(product(tensorOf(input(call, 0)), tensorOf(input(call, 1))));

/** alpha · A·B + beta · C. */
const gemm: Operator = (call) => {
  const [a, b] = [tensorOf(input(call, 0)), tensorOf(input(call, 1))] as [tf.Tensor2D, tf.Tensor2D];
  const c = call.inputs[2];
  const [alpha, beta] = [numberOf(call, 'alpha', 1), numberOf(call, 'beta', 1)];
  const y = tf.matMul(a, b, flagOf(call, 'transA'), flagOf(call, 'transB'));
  const weighted = alpha === 1 ? y : tf.mul(y, alpha);
  if (c === undefined) return onBackend(weighted);
  return onBackend(tf.add(weighted, beta === 1 ? tensorOf(c) : tf.mul(tensorOf(c), beta)));
};

const einsumOperator: Operator = (call) =>
  onBackend(einsum(textOf(call, 'equation', ''), givenInputs(call).map(tensorOf)));

/** [batch, length, heads · size] as [batch, heads, length, size]. */
function split(x: Tensor, heads: number): Tensor4D {
  if (x.rank === 4) return x as Tensor4D;
  const [batch, length]: readonly number[] = x.shape;
  return tf.transpose(tf.reshape(x, [batch, length, heads, -1]) as Tensor4D, [0, 2, 1, 3]);
}

/** softmax(Q·Kᵀ · scale + mask)·V, with fewer heads of K and V than of Q where they are shared. */
const attention: Operator = (call) => {
  if (call.inputs.slice(4).some((past) => past !== undefined) || call.node.outputs.length > 1) {
    throw new InputError('expected attention without a cache of keys and values');
  }
  const given = [0, 1, 2].map((i) => tensorOf(input(call, i)));
  const heads = numberOf(call, 'q_num_heads', 1);
  const shared = numberOf(call, 'kv_num_heads', heads);
  const q = split(given[0], heads);
  const repeats = q.shape[1] / split(given[1], shared).shape[1];
  const [k, v] = [given[1], given[2]].map((x) => {
    const parts = split(x, shared);
    if (repeats === 1) return parts;
    const [batch, count, length, size] = parts.shape;
    const apart = repeatedTo(tf.reshape(parts, [batch, count, 1, length, size]), [batch, count, repeats, length, size]);
    return tf.reshape(apart, [batch, count * repeats, length, size]);
  });
  expectAttribute('qk_matmul_output_mode', numberOf(call, 'qk_matmul_output_mode', 0), [0]);
  const scale = optionalNumber(call, 'scale') ?? 1 / Math.sqrt(q.shape[3]);
  const plain = tf.mul(product(q, tf.transpose(k, [0, 1, 3, 2])), scale);
  const cap = numberOf(call, 'softcap', 0);
  const scores = cap === 0 ? plain : tf.mul(tf.tanh(tf.div(plain, cap)), cap);
  const mask = call.inputs[3];
  const least = -3e38;
  const masked =
    mask === undefined
      ? scores
      : mask.type === 'bool'
        ? tf.add(scores, tf.mul(tf.sub(1, tf.cast(tensorOf(mask), 'float32')), least))
        : tf.add(scores, tensorOf(mask));
  const causal = flagOf(call, 'is_causal');
  const [length, others] = masked.shape.slice(-2);
  const later = (): Tensor =>
    tf.tensor(
      Float32Array.from({ length: length * others }, (_, i) => (i % others > Math.floor(i / others) ? least : 0)),
      [length, others],
    );
  const y = product(tf.softmax(causal ? tf.add(masked, later()) : masked), v) as Tensor4D;
  if (given[0].rank === 4) return onBackend(y);
  const joined = tf.transpose(y, [0, 2, 1, 3]);
  return onBackend(tf.reshape(joined, [joined.shape[0], joined.shape[1], -1]));
};

export const linearOperators = {
  MatMul: matMul,
  Gemm: gemm,
  Einsum: einsumOperator,
  Attention: attention,
} as const satisfies Readonly<Record<string, Operator>>;
