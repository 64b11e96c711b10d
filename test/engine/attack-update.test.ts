import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { l1, l2, linf, type Norm } from '../../attacks/norms/index.ts';
import { ENGINE, engineInfo, registerEngine } from '../../src/engine/index.ts';
import { expectClose, type Op, type Plain, plain, results } from './against-reference.ts';
import { forgetStructures } from './same.ts';

const SHAPE = [128, 32, 32, 3];
/** Several chunks of a kernel, and a remainder. */
const SMALL = [17, 32, 32, 3];
const [batch, classes] = [128, 10];

/** x ← clip(x₀ + Π(x + α · steepest(g) − x₀)), as projected gradient descent steps. */
const update =
  (norm: Norm, epsilon: number): Op =>
  (x, images, gradient) => {
    const moved = tf.add(x, tf.mul(norm.steepest(gradient as tf.Tensor4D), epsilon / 4));
    const projected = norm.project(tf.sub(moved, images) as tf.Tensor4D, epsilon);
    return tf.clipByValue(tf.add(images, projected), 0, 1);
  };

/** What an attack computes around the network, each with its inputs. */
const images = (seed: number, shape = SHAPE): Plain => {
  const { values, ...rest } = plain(shape, 'float32', seed, 'moderate');
  return { ...rest, values: values.map((x) => Math.abs(x) / 5) };
};
const gradient = (seed: number, shape = SHAPE): Plain => plain(shape, 'float32', seed, 'moderate');

const PIECES: readonly [string, Op, readonly Plain[], number][] = [
  ['a linf update', update(linf, 8 / 255), [images(1), images(2), gradient(3)], 0],
  ['an l2 update', update(l2, 0.5), [images(1), images(2), gradient(3)], 8],
  [
    'the box of a linf ball',
    (x, low, high) => tf.minimum(tf.maximum(x, low), high),
    [images(1, SMALL), images(2, SMALL), images(3, SMALL)],
    0,
  ],
  ['lengths in each norm', (x) => [l1, l2, linf].map((norm) => norm.length(x as tf.Tensor4D)), [gradient(4, SMALL)], 2],
  [
    'cross-entropy',
    (logits, other) => tf.neg(tf.sum(tf.mul(tf.softmax(other as tf.Tensor2D), tf.logSoftmax(logits)), 1)),
    [plain([batch, classes], 'float32', 5, 'moderate'), plain([batch, classes], 'float32', 6, 'moderate')],
    16,
  ],
  ['a sum over all', (x) => tf.sum(x), [gradient(7)], 8],
  ['the mean of each channel', (x) => tf.mean(x, [0, 1, 2]), [images(8, SMALL)], 16],
  ['images less their channels', (x) => tf.sub(x, tf.tensor1d([0.4914, 0.4822, 0.4465])), [images(9, SMALL)], 0],
  ['an exchange of axes', (x) => tf.transpose(x, [0, 3, 1, 2]), [images(10, SMALL)], 0],
  ['the larger of two', (a, b) => tf.where(tf.greater(a, b), a, b), [images(11, SMALL), images(12, SMALL)], 0],
];

describe('what an attack computes around the network', () => {
  after(() => registerEngine({ threads: 1 }));

  it('is what the reference backend computes, on 1, 2 and 3 threads bitwise the same', async () => {
    const first = new Map<string, Plain[]>();
    for (const threads of [1, 2, 3]) {
      await registerEngine({ threads });
      for (const [name, op, inputs, tolerance] of PIECES) {
        const ours = await results(ENGINE, op, inputs);
        if (threads === 1) {
          const expected = await results('cpu', op, inputs);
          ours.forEach((y, i) => {
            expectClose(y, expected[i], tolerance);
          });
          first.set(name, ours);
        }
        first.get(name)?.forEach(({ values }, i) => {
          expect(
            Buffer.compare(bytesOf(ours[i]), Buffer.from(values.buffer)),
            `${name} on ${threads} threads`,
          ).to.equal(0);
        });
      }
    }
  });

  it('does not depend on the batch that an image is in', async () => {
    await registerEngine({ threads: 2 });
    const [x, clean, g] = [images(1, SMALL), images(2, SMALL), gradient(3, SMALL)];
    const whole = await results(ENGINE, update(l2, 0.5), [x, clean, g]);
    const rows = (of: Plain, from: number, to: number): Plain => ({
      ...of,
      shape: [to - from, 32, 32, 3],
      values: of.values.slice(from * 3072, to * 3072),
    });
    const some = await results(
      ENGINE,
      update(l2, 0.5),
      [x, clean, g].map((of) => rows(of, 5, 12)),
    );
    expect(Buffer.compare(bytesOf(rows(whole[0], 5, 12)), bytesOf(some[0]))).to.equal(0);
  });

  it('returns every byte after a thousand updates', async () => {
    await registerEngine({ threads: 2 });
    await tf.setBackend(ENGINE);
    forgetStructures();
    const before = { bytes: engineInfo()?.bytes, ...tf.memory() };
    for (let i = 0; i < 1000; i++) {
      tf.tidy(() => {
        const x = tf.tensor4d(new Float32Array(2 * 5 * 5 * 3).fill(0.5), [2, 5, 5, 3]);
        const norm = [linf, l2, l1][i % 3];
        const y = update(norm, 0.5)(x, tf.zerosLike(x), tf.sub(x, 0.1)) as tf.Tensor;
        const logits = tf.slice(tf.reshape(y, [2, 75]), [0, 0], [2, 10]) as tf.Tensor2D;
        tf.topk(tf.concat([tf.softmax(logits), tf.logSoftmax(logits)]), 3);
        tf.gather(y, tf.argMax(tf.transpose(logits), 0));
        tf.where(tf.greater(logits, 0), logits, tf.onesLike(logits));
        tf.any(tf.logicalOr(tf.cast(logits, 'bool'), tf.cast(tf.oneHot([1, 2], 10), 'bool')));
      });
    }
    const after = { bytes: engineInfo()?.bytes, ...tf.memory() };
    expect(after).to.deep.equal(before);
  });
});

const bytesOf = ({ values }: Plain): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
