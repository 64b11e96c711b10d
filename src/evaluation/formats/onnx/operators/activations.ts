// Activations, on tensors in the order of axes that they are stored in, and softmax.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../../../core/structure.ts';
import { input, numberOf, type Operator, textOf } from '../call.ts';
import { axisOf, channelsLastOf, onBackend, tensorOf, withChannelsLast } from '../values.ts';
import { aligned, unary } from './elementwise.ts';

/** x · Φ(x), or its approximation by a tanh. */
const gelu = (x: Tensor, approximate: boolean): Tensor => {
  const inner = approximate
    ? tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x))))))
    : tf.erf(tf.mul(x, Math.SQRT1_2));
  return tf.mul(tf.mul(x, 0.5), tf.add(inner, 1));
};

const hardSigmoid = (x: Tensor, alpha: number, beta: number): Tensor =>
  tf.clipByValue(tf.add(tf.mul(x, alpha), beta), 0, 1);

/** min(x, 0). Its derivative at 0 is 1 and that of a ReLU 0, so that sums of both have PyTorch's there. */
const negativePart = (x: Tensor): Tensor => tf.minimum(x, 0);

const elu = (x: Tensor, alpha: number): Tensor => tf.add(tf.relu(x), tf.mul(tf.expm1(negativePart(x)), alpha));

const prelu: Operator = (call) => {
  const {
    tensors: [x, slope],
    wrap,
  } = aligned([input(call, 0), input(call, 1)]);
  return wrap(tf.add(tf.relu(x), tf.mul(negativePart(x), slope)));
};

/** A softmax along the axis; up to opset 12 over all axes from it on. */
const alongAxis =
  (op: (x: Tensor) => Tensor): Operator =>
  (call) => {
    const x = input(call, 0);
    const rank = x.shape.length;
    if (call.opset < 13) {
      const axis = numberOf(call, 'axis', 1);
      const tensor = tensorOf(x);
      const rows = sizeOf(x.shape.slice(0, axis < 0 ? axis + rank : axis));
      return onBackend(tf.reshape(op(tf.reshape(tensor, [rows, -1])), tensor.shape));
    }
    const from = axisOf(numberOf(call, 'axis', -1), rank);
    if (from === 1 && rank > 2) return withChannelsLast(op(channelsLastOf(x)));
    const tensor = tensorOf(x);
    if (from === rank - 1) return onBackend(op(tensor));
    const swap = tensor.shape.map((_, i) => (i === from ? rank - 1 : i === rank - 1 ? from : i));
    return onBackend(tf.transpose(op(tf.transpose(tensor, swap)), swap));
  };

export const activationOperators = {
  Relu: unary(tf.relu),
  LeakyRelu: unary((x, call) => tf.leakyRelu(x, numberOf(call, 'alpha', 0.01))),
  ThresholdedRelu: unary((x, call) => tf.mul(x, tf.step(tf.sub(x, numberOf(call, 'alpha', 1))))),
  PRelu: prelu,
  Elu: unary((x, call) => elu(x, numberOf(call, 'alpha', 1))),
  Celu: unary((x, call) => {
    const alpha = numberOf(call, 'alpha', 1);
    return tf.add(tf.relu(x), tf.mul(tf.expm1(tf.div(negativePart(x), alpha)), alpha));
  }),
  Selu: unary((x, call) =>
    tf.mul(elu(x, numberOf(call, 'alpha', 1.6732632423543772)), numberOf(call, 'gamma', 1.0507009873554805)),
  ),
  Sigmoid: unary(tf.sigmoid),
  Tanh: unary(tf.tanh),
  Softplus: unary((x) => tf.softplus(x)),
  Softsign: unary((x) => tf.div(x, tf.add(tf.abs(x), 1))),
  Mish: unary((x) => tf.mul(x, tf.tanh(tf.softplus(x)))),
  Swish: unary((x, call) => tf.mul(x, tf.sigmoid(tf.mul(x, numberOf(call, 'alpha', 1))))),
  Gelu: unary((x, call) => gelu(x, textOf(call, 'approximate', 'none') === 'tanh')),
  HardSigmoid: unary((x, call) => hardSigmoid(x, numberOf(call, 'alpha', 0.2), numberOf(call, 'beta', 0.5))),
  HardSwish: unary((x) => tf.mul(x, hardSigmoid(x, 1 / 6, 0.5))),
  Softmax: alongAxis((x) => tf.softmax(x)),
  LogSoftmax: alongAxis((x) => tf.logSoftmax(x)),
} as const satisfies Readonly<Record<string, Operator>>;
